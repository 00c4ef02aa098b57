"""How far a number would move with other instruments: bootstrap intervals.

Instruments are the sample; keys are not (they are the axis of the helix) and so stay whole.
"""

import numpy as np

from rasen.helix.fitting import LITERATURE, fit_triples
from rasen.helix.octave import fold
from rasen.helix.reduction import gram, scores_of
from rasen.stats import Interval, resampled_units

MEMORY = 2**26  # numbers of resampled features held at a time: half a gigabyte


def bootstrap_mean(values, level=0.95, draws=1000, seed=0, statistic=np.nanmean):
    """Interval of the mean over instruments of values (instruments, ...), e.g. helicality.

    statistic    called with `axis`; np.nanmedian is the other useful one.
    """
    values = np.asarray(values)
    chosen = resampled_units(len(values), draws, seed)
    return Interval.of(statistic(values, axis=0), statistic(values[chosen], axis=1), level)


def bootstrap_pooled(
    features, omega=LITERATURE, radius="cone", components=3, standardise=True, level=0.95,
    draws=1000, seed=0,
):  # fmt: skip
    """Intervals for the mean over instruments of the *features* (instruments, keys, dim).

    The pooled notes have one helix: {"helicality", "r2", "period", "folding"} -> Interval.
    Each draw re-weights the instruments, and only the products of its mean features are kept,
    so that components and fits cost the same at any dimension.
    """
    features = np.asarray(features, dtype=np.float64)
    instruments, keys, dim = features.shape
    features = features - features.mean(axis=1, keepdims=True)
    if dim > instruments * keys:  # all that matters lies in the span of the notes
        features = _compressed(features.reshape(-1, dim)).reshape(instruments, keys, -1)
        dim = features.shape[2]
    chosen = resampled_units(instruments, draws, seed)
    weights = np.stack([np.bincount(each, minlength=instruments) for each in chosen])
    weights = np.vstack([np.ones(instruments), weights]) / instruments  # row 0: the sample
    products = np.empty((len(weights), keys, keys))
    size = max(1, MEMORY // (keys * dim))
    for first in range(0, len(weights), size):
        block = slice(first, first + size)
        mean = np.tensordot(weights[block], features, 1)
        products[block] = gram(mean)

    scores, _ = scores_of(products, range(components), standardise)
    helix, _ = fit_triples(scores, omega, radius)
    numbers = {each: getattr(helix, each) for each in ("helicality", "r2", "period")}
    numbers["folding"] = fold(products=products, periods=(12,))[:, 0]
    return {name: Interval.of(each[0], each[1:], level) for name, each in numbers.items()}


def _compressed(rows):
    """Rows (n, dim) with dim > n in n dimensions, their scalar products unchanged."""
    return np.linalg.qr(rows.T, mode="r").T
