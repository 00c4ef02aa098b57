"""Bootstrap intervals over instruments.

Instruments are resampled; keys are not, as they are the axis of the helix.
"""

from dataclasses import dataclass

import numpy as np

from rasen.helix.fitting import LITERATURE, Omega, fit_triples
from rasen.helix.octave import PERIOD, folding_scores
from rasen.helix.reduction import compress, gram, principal_scores
from rasen.stats import Interval, resampled_units

MEMORY = 2**26  # numbers of resampled features held at a time: half a gigabyte


@dataclass(frozen=True)
class PooledIntervals:
    """Intervals for one helix through the features' mean over instruments."""

    helicality: Interval
    r2: Interval
    period: Interval
    folding: Interval


def bootstrap_pooled(
    features: np.ndarray, omega: Omega = LITERATURE, radius: str = "cone", components: int = 3,
    standardise: bool = True, level: float = 0.95, draws: int = 1000,
    seed: int | np.random.Generator = 0,
) -> PooledIntervals:  # fmt: skip
    """Intervals for the mean over instruments of the *features* (instruments, keys, dim).

    Each draw re-weights the instruments, and only the Gram matrix of its mean features is kept, so
    that components and fits cost the same at any dimension.
    """
    features = np.asarray(features, dtype=np.float64)
    instruments, keys, dim = features.shape
    features = features - features.mean(axis=1, keepdims=True)
    if dim > instruments * keys:  # only scalar products of the notes matter
        features = compress(features.reshape(-1, dim)).reshape(instruments, keys, -1)
        dim = features.shape[2]
    chosen = resampled_units(instruments, draws, seed)
    weights = np.stack([np.bincount(draw, minlength=instruments) for draw in chosen])
    weights = np.vstack([np.ones(instruments), weights]) / instruments  # row 0: the sample
    products = np.empty((len(weights), keys, keys))
    block_size = max(1, MEMORY // (keys * dim))
    for first in range(0, len(weights), block_size):
        block = slice(first, first + block_size)
        mean = np.tensordot(weights[block], features, 1)
        products[block] = gram(mean)

    scores, _ = principal_scores(products, range(components), standardise)
    helix, _ = fit_triples(scores, omega, radius)
    folding = folding_scores(products=products, periods=(PERIOD,))[:, 0]
    return PooledIntervals(
        *(
            Interval.from_draws(values[0], values[1:], level)
            for values in (helix.helicality, helix.r2, helix.period, folding)
        )
    )
