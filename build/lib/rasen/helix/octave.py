"""Is it an octave? Three statistics that a smooth path cannot pass, and the verdict.

A high Helicality is no evidence: omega = 2 pi / 12 is the lower bound of the published range,
and every slow trend piles up on it. These statistics ask the data about period 12 *against
other periods*, and the first and the third do it without principal components.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc  # scipy.stats has it too, and takes half a second to import

from rasen.helix.fitting import fit
from rasen.helix.reduction import gram, reduce

PERIOD = 12
RIVALS = (8, 9, 10, 11, 13, 14, 15, 16)  # not 6, 24: an octave is periodic there too
TREND = 3  # degree of the polynomial in the key that is nobody's octave
ALPHA = 0.01  # significance that the verdict asks of folding
TURNS = 1.5  # a curve has to turn that often inside the keys before its period means much


@dataclass
class Octave:
    """Evidence about the octave; (...) is the shape of the batch."""

    folding: np.ndarray  # (...) `fold` at 12 keys
    folding_rival: np.ndarray  # (...) the best of the other periods
    folding_p: np.ndarray  # (...) p-value of `folding` against notes in no order
    contrast: np.ndarray  # (...) R2 of the helix at 12 keys less its best at the other periods
    period: np.ndarray  # (...) period of the best helix when omega is as free as the keys allow
    octave: np.ndarray  # (...) bool, the verdict: see `octave_evidence`


def octave_evidence(features, radius="positive"):
    """All of the above for features (..., keys, dim).

    The verdict is yes when folding at 12 keys is significant (1 %) and beats all other periods.
    It rests on the statistic that needs neither a helix nor three components; contrast and
    period are reported beside it, for they tell what a helix fit can see of it.
    """
    products = gram(features)
    folds = fold(products=products)
    x = reduce(features)
    rival = np.fmax.reduce(folds[..., 1:], axis=-1)  # a period too long for the keys is NaN
    p = folding_p(folds[..., 0], products)
    return Octave(
        folding=folds[..., 0],
        folding_rival=rival,
        folding_p=p,
        contrast=octave_contrast(x, radius),
        period=fit(x, widest(x.shape[-2]), radius).period,
        octave=(p < ALPHA) & (folds[..., 0] > rival),
    )


def widest(keys):
    """The range of omega in which a period can be told from a trend: 1.5 turns and more."""
    return 2 * np.pi * TURNS / keys, 2 * np.pi / 3


# -- folding -------------------------------------------------------------------------------------


def fold(features=None, periods=(PERIOD, *RIVALS), products=None):
    """How much of features (..., keys, dim) repeats every p keys: (..., periods).

    Per period: take out a cubic trend, let every residue class of the key have its own mean,
    and give the share of what was left that the classes explain, adjusted for their number.
    0 is expected of noise and less of a smooth path, at most 1. No components are chosen and
    no shape is assumed. NaN where the keys are too few for the period.
    The output of `gram` will do in place of features: products=gram(features).
    """
    products = gram(features) if products is None else products
    keys = products.shape[-1]
    trend = _basis(np.vander(np.linspace(-1, 1, keys), TREND + 1))
    left = np.einsum("...tt->...", products) - _explained(products, trend)
    freedom = keys - TREND - 1
    shares = []
    for period in periods:
        classes = np.eye(period)[np.arange(keys) % period]
        both = _basis(np.hstack([trend, classes]))
        spare = keys - both.shape[1]
        if spare < 1 or keys < 2 * period:
            shares.append(np.full(left.shape, np.nan))
            continue
        unexplained = np.einsum("...tt->...", products) - _explained(products, both)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares.append(1 - (unexplained / spare) / (left / freedom))
    shares = np.stack(shares, axis=-1)
    tiny = left <= 1e-12 * np.einsum("...tt->...", products)  # nothing but the trend
    return np.where(tiny[..., None], np.nan, shares)


def folding_p(folding, products, period=PERIOD):
    """p-value of `fold` at one period against features without any order: (...).

    Folding is an analysis of variance, and its F is that of as many independent features as
    `products` has effective dimensions (participation ratio): Box's approximation.
    ASSUME: this null is white in the key. Smooth features fold worse than white ones unless
    they wiggle on the scale of a few keys, for which `smooth_surrogates` is the sharper null.
    """
    keys = products.shape[-1]
    trace = np.einsum("...tt->...", products)
    with np.errstate(invalid="ignore", divide="ignore"):
        concentration = np.einsum("...st,...st->...", products, products) / trace**2
    dimensions = 1 / (concentration - 1 / (keys - 1)).clip(min=1e-3)  # bias of few keys out
    spare = keys - TREND - period  # one of the classes is a constant, as is one of the trend
    freedom = keys - TREND - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        unexplained = (1 - folding) * spare / freedom  # share of what the trend left
        ratio = (1 - unexplained) / (period - 1) / (unexplained / spare)
    return fdtrc(dimensions * (period - 1), dimensions * spare, ratio)


def _basis(columns):
    """Orthonormal basis of the span of the columns, which may depend on each other."""
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    return u[:, s > 1e-9 * s[0]]


def _explained(products, basis):
    return np.einsum("...st,sk,tk->...", products, basis, basis, optimize=True)


# -- the curve of R2 over omega ------------------------------------------------------------------


def period_curve(x, periods, radius="positive"):
    """R2 of the best helix through x (..., keys, 3) at each of the periods: (..., periods)."""
    return np.stack([fit(x, 2 * np.pi / each, radius).r2 for each in periods], axis=-1)


def octave_contrast(x, radius="positive"):
    """R2 at 12 keys a turn less the best R2 at the other periods: (...). Below 0: no octave."""
    curve = period_curve(x, (PERIOD, *RIVALS), radius)
    return curve[..., 0] - curve[..., 1:].max(axis=-1)


# -- pitch class on a held-out octave ------------------------------------------------------------


def held_out_octave(features, ridge=1.0):
    """Accuracy of a linear reading of pitch class on an octave it was not trained on.

    features (instruments, keys, dim), or (keys, dim) for one. The lowest and the highest octave
    are held out in turn; the answer is the mean of the two accuracies, and chance is 1/12.
    Ridge regression onto the twelve classes in closed form, each instrument's mean over its
    training keys taken out; `ridge` is in units of the mean eigenvalue (much smaller ones fit
    noise: on a circle neighbouring classes are close). Two ways to be right without an octave
    are closed:

    - an inner octave is never held out: the mean of C3 and C5 is C4 on any straight line;
    - the directions in which the training octaves differ (pitch height) are taken out first.
      Inside an octave height grows with pitch class, and extrapolated it would decide alone.
    """
    features = np.asarray(features, dtype=np.float64)
    features = features[None] if features.ndim == 2 else features
    instruments, keys, dim = features.shape
    octave, pitch = np.divmod(np.arange(keys), PERIOD)
    last = keys // PERIOD - 1  # an octave that is not complete is left out
    if last < 1:
        raise ValueError(f"a held-out octave needs at least two of 12 keys; got {keys} keys")
    if not np.isfinite(features).all():
        return np.nan
    accuracy = []
    for held_out in (0, last):
        train, test = (octave != held_out) & (octave <= last), octave == held_out
        timbre = features[:, train].mean(axis=1, keepdims=True)
        known = (features[:, train] - timbre).reshape(-1, dim)
        asked = (features[:, test] - timbre).reshape(-1, dim)
        means = known.reshape(instruments, -1, PERIOD, dim).mean(axis=(0, 2))
        _, size, heights = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
        heights = heights[size > 1e-9 * size[0]] if size[0] > 0 else heights[:0]
        known, asked = (each - each @ heights.T @ heights for each in (known, asked))
        target = np.tile(np.eye(PERIOD)[pitch[train]], (instruments, 1)) - 1 / PERIOD
        guess = asked @ _ridge(known, target, ridge)
        accuracy.append(np.mean(guess.argmax(axis=1) == np.tile(pitch[test], instruments)))
    return float(np.mean(accuracy))


def _ridge(known, target, ridge):
    """Weights (dim, classes) from the smaller of the two normal equations."""
    samples, dim = known.shape
    penalty = ridge * (known**2).sum() / min(samples, dim) + np.finfo(float).tiny
    if dim <= samples:
        return np.linalg.solve(known.T @ known + penalty * np.eye(dim), known.T @ target)
    return known.T @ np.linalg.solve(known @ known.T + penalty * np.eye(samples), target)
