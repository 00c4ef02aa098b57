"""Resampled groups, the same for all layers, so that differences between layers are paired."""

import numpy as np

from rasen.seeds import generator
from rasen.stats import Interval

MOST = 2000  # groups resampled one by one


def units(group: np.ndarray, seed: int) -> np.ndarray:
    """The unit of resampling of each row: its group, as a code from 0.

    More than 2000 groups are first put together at random in 2000 units of nearly equal numbers of
    groups. The variance of a sum over units is that of the sum over groups, known to 2 %.
    """
    _, codes = np.unique(group, return_inverse=True)
    count = int(codes.max(initial=-1)) + 1
    if count <= MOST:
        return codes
    return (generator(seed, "probes", "units").permutation(count) % MOST)[codes]


def resampling(count: int, draws: int, seed: int) -> np.ndarray:
    """How often each unit is drawn: [draws + 1, count]; the first row is the sample itself."""
    rng = generator(seed, "probes", "bootstrap")
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    return np.vstack([np.ones((1, count)), drawn])


def interval(draws: np.ndarray, groups: int, level: float = 0.95) -> tuple[float, float, float]:
    """Value, low and high of draws [draws + 1], the sample first; one group has no interval."""
    if groups < 2:
        return float(draws[0]), np.nan, np.nan
    found = Interval.from_draws(draws[0], draws[1:], level)
    return float(found.value), float(found.low), float(found.high)
