"""p-values of many features at once from few draws of a null."""

import numpy as np

ALIKE = 200  # neighbours (in `size`) whose null draws are pooled; all, where there are fewer


def shuffled(clip, rng):
    """Places of units [units] after whole clips changed places, each begun at a random unit.

    Neighbours stay neighbours, so clumps are as long as before; but what always stands at the same
    place of a clip (a beat) does not meet itself again.
    """
    starts = np.flatnonzero(np.diff(clip, prepend=clip[0] - 1))
    order = rng.permutation(len(starts))
    length = np.diff(starts, append=len(clip))[order]
    first, turn, length_of, begin = (
        np.repeat(each, length)
        for each in (starts[order], rng.integers(length), length, np.cumsum(length) - length)
    )
    return first + (np.arange(len(clip)) - begin + turn) % length_of


def standardised(observed, null):
    """Observed [features] and null [draws, features] in units of each feature's own null.

    A draw is compared with the mean and deviation of the other draws, as the observation is.
    """
    draws = len(null)
    mean, square = null.mean(0), (null**2).mean(0)
    rest = (draws * mean - null) / (draws - 1)
    spread = (draws * square - null**2) / (draws - 1) - rest**2
    own = np.sqrt(np.maximum(square - mean**2, 1e-12))
    left_out = (null - rest) / np.sqrt(np.maximum(spread, 1e-12))
    return (observed - mean) / own, left_out, mean, own


def pooled_p(observed, null, size):
    """p-values [features, ...] of standardised observations against pooled standardised draws.

    observed [features, ...], null [draws, features]; features are pooled with those of like `size`
    [features] (how often they fire), since that shapes the tail. Never zero: the smallest is one
    over the number of pooled draws.
    """
    found = np.empty(observed.shape)
    order = np.argsort(size, kind="stable")
    for group in np.array_split(order, max(1, len(order) // ALIKE)):
        pool = np.sort(null[:, group], axis=None)
        above = len(pool) - np.searchsorted(pool, observed[group], side="left")
        found[group] = (1 + above) / (1 + len(pool))
    return found
