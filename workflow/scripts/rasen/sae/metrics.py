"""How good an SAE is on held-out rows, in the activations' own units, and which rows are outliers.

    fvu                  sum |x - x^|^2 / sum |x - mean|^2 over all rows
    fvu_normal           the same over rows that are no outliers (mean of those rows)
    token_error          mean over rows of |x - x^|^2 / |x|^2: every row counts the same
    explained_variance   1 - variance of x - x^ / variance of x: a constant offset is forgiven
    l0                   latents that fire per row, on average
    dead                 share of latents that never fire in these rows
    dense                share of latents that fire in more than a tenth of them

Where all rows are equal there is nothing to explain: fvu and explained_variance are NaN.

A few huge rows hold nearly all of the variance, so `fvu` alone can look perfect while normal rows
are not described at all: read it beside the other two.
"""

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike

from rasen.sae.activation_source import Activations, ActivationSource, open_activations
from rasen.sae.model import SAE

OUTLIER = 10  # times the median norm
DENSE = 0.1  # of the rows
BLOCK = 4096
CONSTANT = 1e-12  # share of the squared norm; float32 rounds rows to 4e-15 of it


def evaluate(sae: SAE, x: np.ndarray, outlier: float = OUTLIER) -> dict[str, float]:
    """Metrics of one SAE on rows x [rows, d], {column of the table of metrics: value}."""
    norms = row_norms(x)
    normal = norms <= outlier * np.median(norms)
    sums = _Sums(sae.d)
    fired = np.zeros(sae.n, np.int64)
    for start in range(0, len(x), BLOCK):
        rows = torch.from_numpy(x[start : start + BLOCK]).float()
        codes = sae.encode(rows)
        reconstruction = sae.decode(codes).cpu().double().numpy()
        sums.add(rows.double().numpy(), reconstruction, normal[start : start + BLOCK])
        active = codes.indices[codes.values > 0].cpu().numpy()
        fired += np.bincount(active, minlength=sae.n)
    return sums.result() | {
        "l0": fired.sum() / len(x),
        "dead": float((fired == 0).mean()),
        "dense": float((fired > DENSE * len(x)).mean()),
        "rows_test": len(x),
    }


class _Sums:
    """Running sums over rows x and their reconstructions, all [rows, d] in float64.

    Arrays [2] and [2, d] are over all rows, and over normal rows.
    """

    def __init__(self, d):
        self.rows = np.zeros(2)
        self.square = np.zeros(2)
        self.error = np.zeros(2)
        self.total = np.zeros((2, d))
        self.error_total = np.zeros(d)
        self.relative_error = 0.0

    def add(self, x, reconstruction, normal):
        """normal: [rows], which rows are no outliers."""
        error = x - reconstruction
        square, squared_error = (x**2).sum(1), (error**2).sum(1)
        for place, kept in enumerate((np.ones(len(x), bool), normal)):
            self.rows[place] += kept.sum()
            self.square[place] += square[kept].sum()
            self.error[place] += squared_error[kept].sum()
            self.total[place] += x[kept].sum(0)
        self.error_total += error.sum(0)
        self.relative_error += (squared_error / np.maximum(square, 1e-30)).sum()

    def result(self):
        variance = self.square - (self.total**2).sum(1) / self.rows
        # equal rows have no variance to explain, only what rounding left of the sums
        variance[variance <= CONSTANT * self.square] = np.nan
        fvu, fvu_normal = self.error / variance
        unexplained = self.error[0] - (self.error_total**2).sum() / self.rows[0]
        return {
            "fvu": float(fvu),
            "fvu_normal": float(fvu_normal),
            "token_error": float(self.relative_error / self.rows[0]),
            "explained_variance": float(1 - unexplained / variance[0]),
        }


def row_norms(x: np.ndarray) -> np.ndarray:
    """Norms [rows] of x [rows, d] of any float dtype, in float64."""
    blocks = [x[start : start + BLOCK].astype(np.float64) for start in range(0, len(x), BLOCK)]
    return np.concatenate([np.sqrt((block**2).sum(1)) for block in blocks])


def norms(
    source: Activations,
    layer: int | str | None = None,
    groups: ArrayLike | None = None,
    outlier: float = OUTLIER,
) -> tuple[dict[str, float], pd.DataFrame]:
    """Norm statistics of every row of a dump's layer or an array: (summary, outliers).

    summary: {norm_median, norm_max, outliers: their share of the rows}
    outliers: a table row, clip, frame, norm, times_median, the longest first
    """
    with open_activations(source, layer, groups) as activations:
        lengths = np.concatenate(
            [row_norms(activations.read_rows(*block)) for block in activations.blocks()]
        )
        return describe_norms(lengths, np.arange(activations.rows), activations, outlier)


def describe_norms(
    lengths: np.ndarray, numbers: np.ndarray, source: ActivationSource, outlier: float = OUTLIER
) -> tuple[dict[str, float], pd.DataFrame]:
    """The same for some rows, of which norms [rows] and numbers in the source [rows] are known."""
    median = float(np.median(lengths))
    huge = np.flatnonzero(lengths > outlier * median)
    huge = huge[np.argsort(-lengths[huge], kind="stable")]
    summary = {
        "norm_median": median,
        "norm_max": float(lengths.max()),
        "outliers": len(huge) / len(lengths),
    }
    clip, frame = source.clip_and_frame(numbers[huge])
    table = pd.DataFrame(
        {
            "row": numbers[huge],
            "clip": clip,
            "frame": frame,
            "norm": lengths[huge],
            "times_median": lengths[huge] / (median or 1.0),
        }
    )
    return summary, table
