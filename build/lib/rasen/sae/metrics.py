"""How good an SAE is on held-out rows, in the activations' own units, and who the outliers are.

    fvu                  sum |x - x^|^2 / sum |x - mean|^2 over all rows
    fvu_normal           the same over rows that are no outliers (mean of those rows)
    token_error          mean over rows of |x - x^|^2 / |x|^2: every row counts the same
    explained_variance   1 - variance of x - x^ / variance of x: a constant offset is forgiven
    l0                   latents that fire in a row, on average
    dead                 share of latents that never fire in these rows
    dense                share of latents that fire in more than a tenth of them

A few huge rows own nearly all of the variance, so `fvu` alone can look perfect while normal rows
are not described at all: read it beside the other two.
"""

import numpy as np
import pandas as pd
import torch

from rasen.sae.source import open_source

OUTLIER = 10  # times the median norm
DENSE = 0.1  # of the rows
BLOCK = 4096


def evaluate(sae, x, outlier=OUTLIER):
    """Metrics of one SAE on rows x [rows, d] (array) as a dict."""
    norms = row_norms(x)
    normal = norms <= outlier * np.median(norms)
    sums = _Sums(sae.d)
    fired = np.zeros(sae.n, np.int64)
    for start in range(0, len(x), BLOCK):
        part = torch.from_numpy(x[start : start + BLOCK]).float()
        codes = sae.encode(part)
        made = sae.decode(codes).cpu().double().numpy()
        sums.add(part.double().numpy(), made, normal[start : start + BLOCK])
        active = codes.indices[codes.values > 0].cpu().numpy()
        fired += np.bincount(active, minlength=sae.n)
    return sums.result() | {
        "l0": fired.sum() / len(x),
        "dead": float((fired == 0).mean()),
        "dense": float((fired > DENSE * len(x)).mean()),
        "rows_test": len(x),
    }


class _Sums:
    """Running sums over rows x and their reconstructions, all [rows, d] in float64."""

    def __init__(self, d):
        self.rows = np.zeros(2)  # all, normal
        self.square = np.zeros(2)
        self.error = np.zeros(2)
        self.total = np.zeros((2, d))
        self.error_total = np.zeros(d)
        self.relative = 0.0

    def add(self, x, made, normal):
        error = x - made
        square, wrong = (x**2).sum(1), (error**2).sum(1)
        for place, kept in enumerate((np.ones(len(x), bool), normal)):
            self.rows[place] += kept.sum()
            self.square[place] += square[kept].sum()
            self.error[place] += wrong[kept].sum()
            self.total[place] += x[kept].sum(0)
        self.error_total += error.sum(0)
        self.relative += (wrong / np.maximum(square, 1e-30)).sum()

    def result(self):
        spread = self.square - (self.total**2).sum(1) / self.rows
        fvu, fvu_normal = self.error / np.maximum(spread, 1e-30)
        unexplained = self.error[0] - (self.error_total**2).sum() / self.rows[0]
        return {
            "fvu": float(fvu),
            "fvu_normal": float(fvu_normal),
            "token_error": float(self.relative / self.rows[0]),
            "explained_variance": float(1 - unexplained / max(spread[0], 1e-30)),
        }


def row_norms(x):
    """Norms [rows] of x [rows, d] of any float dtype, in float64."""
    parts = [x[at : at + BLOCK].astype(np.float64) for at in range(0, len(x), BLOCK)]
    return np.concatenate([np.sqrt((part**2).sum(1)) for part in parts])


def norms(source, layer=None, groups=None, outlier=OUTLIER):
    """Norm statistics of every row of a dump's layer or an array: (summary dict, huge rows).

    huge rows: a DataFrame of row, clip, frame, norm, times_median, the hugest first
    """
    with open_source(source, layer, groups) as data:
        found = np.concatenate([row_norms(data.read(*block)) for block in data.blocks()])
        return describe_norms(found, np.arange(data.rows), data, outlier)


def describe_norms(found, rows, source, outlier=OUTLIER):
    """Summary of norms [rows], and a table of those that are more than `outlier` medians long."""
    median = float(np.median(found))
    huge = np.flatnonzero(found > outlier * median)
    huge = huge[np.argsort(-found[huge], kind="stable")]
    summary = {
        "norm_median": median,
        "norm_max": float(found.max()),
        "outliers": len(huge) / len(found),
    }
    frames = source.frames[rows[huge]] if source.frames is not None else -1
    table = pd.DataFrame(
        {
            "row": rows[huge],
            "clip": source.groups[rows[huge]],
            "frame": frames,
            "norm": found[huge],
            "times_median": found[huge] / (median or 1.0),
        }
    )
    return summary, table
