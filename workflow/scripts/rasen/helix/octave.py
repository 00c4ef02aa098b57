"""Evidence for an octave: statistics that smooth paths do not reach, and the verdict.

A high Helicality is no evidence: omega = 2 pi / 12 is the lower bound of the published range, and
the fit of every slow trend ends there. These statistics compare period 12 *with other periods*;
folding (`folding.py`) needs no principal components, the contrast shows the same of a helix fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rasen.helix.fitting import fit
from rasen.helix.folding import (
    PERIOD,
    divisor_p,
    folding_margin,
    folding_p,
    folding_scores,
)
from rasen.helix.nulls import random_orders, smooth_path
from rasen.helix.reduction import gram, reduce
from rasen.stats import sequential_p

HELIX_RIVALS = (8, 9, 10, 11, 13, 14, 15, 16)  # periods that a helix is compared at
ALPHA = 0.01  # significance level of folding in `octave_evidence`
TURNS = 1.5  # fewest turns inside the keys for which a period can be told from a trend
# Below, a cubic trend and twelve classes leave so few keys that smooth paths pass for octaves:
# of smooth paths on 24 keys up to every one did, on 32 two of 60 at most, of a dozen kinds.
FEWEST_KEYS = 32


@dataclass(frozen=True)
class OctaveEvidence:
    """Evidence for an octave; (...) is the shape of the batch."""

    folding: np.ndarray  # (...) `folding_scores` at 12 keys
    folding_rival: np.ndarray  # (...) the best of the other periods
    folding_p: np.ndarray  # (...) p-value of `folding` against notes in random order
    divisor_p: np.ndarray  # (...) p-value that 12 says no more than 2, 3, 4 or 6
    margin: np.ndarray  # (...) folding less that of the best rival, with any trend
    contrast: np.ndarray  # (...) R2 of the helix at 12 keys minus its best at the other periods
    period: np.ndarray  # (...) period of the best helix, omega within `resolvable_omega`
    octave: np.ndarray  # (...) bool, the verdict: see `octave_evidence`
    verdict: np.ndarray  # (...) str: "octave", "no octave", or "cannot tell" of fewer than 32 keys


def octave_evidence(features: np.ndarray, radius: str = "positive") -> OctaveEvidence:
    """The OctaveEvidence of features (..., keys, dim).

    The verdict is yes when folding at 12 keys is significant (1 %), says more than its divisors
    (1 %) and exceeds all other periods with any trend. No draws: `judge` also asks how often
    smooth paths come so far. Below 32 keys nothing can be told, and `octave` is False.
    """
    products = gram(features)
    keys = products.shape[-1]
    folding = folding_scores(products=products)
    x = reduce(features)
    p, more_p = folding_p(folding[..., 0], products), divisor_p(products)
    margin = folding_margin(products)
    octave = (p < ALPHA) & (more_p < ALPHA) & (margin > 0) & (keys >= FEWEST_KEYS)
    no = "no octave" if keys >= FEWEST_KEYS else "cannot tell"
    return OctaveEvidence(
        folding=folding[..., 0],
        folding_rival=np.fmax.reduce(folding[..., 1:], axis=-1),  # a period too long is NaN
        folding_p=p,
        divisor_p=more_p,
        margin=margin,
        contrast=octave_contrast(x, radius),
        period=fit(x, resolvable_omega(keys), radius).period,
        octave=octave,
        verdict=np.where(octave, "octave", no),
    )


def resolvable_omega(keys: int) -> tuple[float, float]:
    """The range of omega in which a period can be told from a trend: 1.5 turns and more."""
    return 2 * np.pi * TURNS / keys, 2 * np.pi / 3


# -- tests by draws, without a fit ---------------------------------------------------------------


def margin_p(products: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """How often smooth paths without an octave reach the folding margin of `products`: a p-value.

    products (keys, keys). At most `draws` paths are drawn, fewer when many reach it.
    """
    margin = folding_margin(products).clip(min=0)  # where 12 is not the best, p is 1
    if np.isnan(margin):
        return np.nan
    path = smooth_path(products)

    def as_far(count):
        return folding_margin(gram(path.draw(count, rng))).clip(min=0) >= margin

    return sequential_p(as_far, draws)


def order_p(products: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """How often keys in random order are as close to their neighbours: a p-value.

    products (keys, keys). Distances between neighbouring keys are summed; no fit is needed.
    """
    square_norm = np.diag(products)
    distance = square_norm[:, None] + square_norm - 2 * products
    length = distance.diagonal(1).sum()
    if not length > 0:
        return np.nan

    def as_short(count):
        order = random_orders(len(products), count, rng)
        return distance[order[:, :-1], order[:, 1:]].sum(axis=1) <= length * (1 + 1e-12)

    return sequential_p(as_short, draws)


# -- the curve of R2 over omega ------------------------------------------------------------------


def period_curve(x: np.ndarray, periods: Sequence[float], radius: str = "positive") -> np.ndarray:
    """R2 of the best helix through x (..., keys, 3) at each of the periods: (..., periods)."""
    return np.stack([fit(x, 2 * np.pi / period, radius).r2 for period in periods], axis=-1)


def octave_contrast(x: np.ndarray, radius: str = "positive") -> np.ndarray:
    """R2 at 12 keys per turn minus the best R2 at the other periods: (...). Below 0: no octave."""
    curve = period_curve(x, (PERIOD, *HELIX_RIVALS), radius)
    return curve[..., 0] - curve[..., 1:].max(axis=-1)
