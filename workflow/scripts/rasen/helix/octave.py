"""Evidence for an octave: three statistics that smooth paths do not reach, and the verdict.

A high Helicality is no evidence: omega = 2 pi / 12 is the lower bound of the published range, and
the fit of every slow trend ends there. These statistics compare period 12 *with other periods*;
the first and the third need no principal components.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc  # scipy.stats has it too, and takes half a second to import

from rasen.helix.fitting import fit
from rasen.helix.reduction import gram, reduce

PERIOD = 12
RIVALS = (8, 9, 10, 11, 13, 14, 15, 16)  # not 6, 24: an octave is periodic there too
TREND = 3  # degree of the polynomial in the key that is removed first
ALPHA = 0.01  # significance level of folding in the verdict
TURNS = 1.5  # fewest turns inside the keys for which a period can be told from a trend


@dataclass(frozen=True)
class OctaveEvidence:
    """Evidence for an octave; (...) is the shape of the batch."""

    folding: np.ndarray  # (...) `folding_scores` at 12 keys
    folding_rival: np.ndarray  # (...) the best of the other periods
    folding_p: np.ndarray  # (...) p-value of `folding` against notes in random order
    contrast: np.ndarray  # (...) R2 of the helix at 12 keys minus its best at the other periods
    period: np.ndarray  # (...) period of the best helix, omega within `resolvable_omega`
    octave: np.ndarray  # (...) bool, the verdict: see `octave_evidence`


def octave_evidence(features: np.ndarray, radius: str = "positive") -> OctaveEvidence:
    """The OctaveEvidence of features (..., keys, dim).

    The verdict is yes when folding at 12 keys is significant (1 %) and exceeds all other periods:
    the statistic that needs neither a helix nor three components. Contrast and period are what a
    helix fit shows of it.
    """
    products = gram(features)
    folding = folding_scores(products=products)
    x = reduce(features)
    rival = np.fmax.reduce(folding[..., 1:], axis=-1)  # a period too long for the keys is NaN
    p = folding_p(folding[..., 0], products)
    return OctaveEvidence(
        folding=folding[..., 0],
        folding_rival=rival,
        folding_p=p,
        contrast=octave_contrast(x, radius),
        period=fit(x, resolvable_omega(x.shape[-2]), radius).period,
        octave=(p < ALPHA) & (folding[..., 0] > rival),
    )


def resolvable_omega(keys: int) -> tuple[float, float]:
    """The range of omega in which a period can be told from a trend: 1.5 turns and more."""
    return 2 * np.pi * TURNS / keys, 2 * np.pi / 3


# -- folding -------------------------------------------------------------------------------------


def folding_scores(
    features: np.ndarray | None = None,
    periods: Sequence[int] = (PERIOD, *RIVALS),
    products: np.ndarray | None = None,
) -> np.ndarray:
    """How much of features (..., keys, dim) repeats every p keys: (..., periods).

    Per period: remove a cubic trend, give every residue class of the key its own mean, and return
    the share of the remaining variance that the classes explain, adjusted for their number. At
    most 1; 0 is expected of noise and less of a smooth path. No components are chosen and no shape
    is assumed. NaN where the keys are too few for the period.
    products: the output of `gram`, in place of features.
    """
    if products is None:
        if features is None:
            raise ValueError("folding_scores needs features or products")
        products = gram(features)
    keys = products.shape[-1]
    trend = _basis(np.vander(np.linspace(-1, 1, keys), TREND + 1))
    detrended = np.einsum("...tt->...", products) - _explained(products, trend)
    freedom = keys - TREND - 1
    shares = []
    for period in periods:
        classes = np.eye(period)[np.arange(keys) % period]
        trend_and_classes = _basis(np.hstack([trend, classes]))
        spare = keys - trend_and_classes.shape[1]
        if spare < 1 or keys < 2 * period:
            shares.append(np.full(detrended.shape, np.nan))
            continue
        unexplained = np.einsum("...tt->...", products) - _explained(products, trend_and_classes)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares.append(1 - (unexplained / spare) / (detrended / freedom))
    only_trend = detrended <= 1e-12 * np.einsum("...tt->...", products)
    return np.where(only_trend[..., None], np.nan, np.stack(shares, axis=-1))


def folding_p(folding: np.ndarray, products: np.ndarray, period: int = PERIOD) -> np.ndarray:
    """p-value of folding at one period against features in random order: (...).

    Folding is an analysis of variance, and its F is that of as many independent features as
    `products` has effective dimensions (participation ratio): Box's approximation.
    ASSUME: this null is white in the key. Smooth features have less folding than white ones,
    unless they vary over a few keys, for which `smooth_surrogates` is the stricter null.
    """
    keys = products.shape[-1]
    trace = np.einsum("...tt->...", products)
    with np.errstate(invalid="ignore", divide="ignore"):
        concentration = np.einsum("...st,...st->...", products, products) / trace**2
    dimensions = 1 / (concentration - 1 / (keys - 1)).clip(min=1e-3)  # less the bias of few keys
    spare = keys - TREND - period  # one of the classes is a constant, as is one of the trend
    freedom = keys - TREND - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        unexplained = (1 - folding) * spare / freedom  # share of the detrended variance
        ratio = (1 - unexplained) / (period - 1) / (unexplained / spare)
    return fdtrc(dimensions * (period - 1), dimensions * spare, ratio)


def _basis(columns):
    """Orthonormal basis of the span of the columns, which may depend on each other."""
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    return u[:, s > 1e-9 * s[0]]


def _explained(products, basis):
    return np.einsum("...st,sk,tk->...", products, basis, basis, optimize=True)


# -- the curve of R2 over omega ------------------------------------------------------------------


def period_curve(x: np.ndarray, periods: Sequence[float], radius: str = "positive") -> np.ndarray:
    """R2 of the best helix through x (..., keys, 3) at each of the periods: (..., periods)."""
    return np.stack([fit(x, 2 * np.pi / period, radius).r2 for period in periods], axis=-1)


def octave_contrast(x: np.ndarray, radius: str = "positive") -> np.ndarray:
    """R2 at 12 keys per turn minus the best R2 at the other periods: (...). Below 0: no octave."""
    curve = period_curve(x, (PERIOD, *RIVALS), radius)
    return curve[..., 0] - curve[..., 1:].max(axis=-1)


# -- pitch class on a held-out octave ------------------------------------------------------------


def held_out_octave(features: np.ndarray, ridge: float = 1.0) -> float:
    """Accuracy of a linear probe of pitch class on an octave it was not trained on.

    features (instruments, keys, dim), or (keys, dim) for one. The lowest and the highest octave
    are held out in turn; the result is the mean of the two accuracies, and chance is 1/12.
    Ridge regression onto the twelve classes in closed form, each instrument's mean over its
    training keys subtracted; `ridge` is in units of the mean eigenvalue (much smaller ones fit
    noise: on a circle neighbouring classes are close). Two shortcuts without an octave are
    excluded:

    - an inner octave is never held out: the mean of C3 and C5 is C4 on any straight line;
    - the directions in which the training octaves differ (pitch height) are projected out first.
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
        train_notes = (features[:, train] - timbre).reshape(-1, dim)
        test_notes = (features[:, test] - timbre).reshape(-1, dim)
        means = train_notes.reshape(instruments, -1, PERIOD, dim).mean(axis=(0, 2))
        _, norms, heights = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
        heights = heights[norms > 1e-9 * norms[0]] if norms[0] > 0 else heights[:0]
        train_notes, test_notes = (
            notes - notes @ heights.T @ heights for notes in (train_notes, test_notes)
        )
        target = np.tile(np.eye(PERIOD)[pitch[train]], (instruments, 1)) - 1 / PERIOD
        predicted = test_notes @ _ridge_weights(train_notes, target, ridge)
        accuracy.append(np.mean(predicted.argmax(axis=1) == np.tile(pitch[test], instruments)))
    return float(np.mean(accuracy))


def _ridge_weights(x, target, ridge):
    """Weights (dim, classes) from the smaller of the two normal equations of x (samples, dim)."""
    samples, dim = x.shape
    penalty = ridge * (x**2).sum() / min(samples, dim) + np.finfo(float).tiny
    if dim <= samples:
        return np.linalg.solve(x.T @ x + penalty * np.eye(dim), x.T @ target)
    return x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(samples), target)
