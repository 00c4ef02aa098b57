"""p-values of many features at once from few draws of a null."""

import numpy as np

ALIKE = 200  # features alike in `size` whose null draws are pooled; all, where there are fewer


def shuffle_clips(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places of units [units] after whole clips changed places, each starting at a random unit.

    clip: of each unit [units]. Neighbours stay neighbours, so runs of activations are as long as
    before; but what always stands at the same place of a clip (a beat) is not aligned with itself.
    """
    starts = np.flatnonzero(np.diff(clip, prepend=clip[0] - 1))
    order = rng.permutation(len(starts))
    length = np.diff(starts, append=len(clip))[order]
    offset = rng.integers(length)
    # of each unit's clip: where it stood, its offset, its length, where it stands now
    clip_start, unit_offset, clip_length, new_start = (
        np.repeat(values, length)
        for values in (starts[order], offset, length, np.cumsum(length) - length)
    )
    return clip_start + (np.arange(len(clip)) - new_start + unit_offset) % clip_length


def standardised(
    observed: np.ndarray, null: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Observed [features] and null [draws, features] in units of each feature's own null.

    A draw is compared with the mean and deviation of the other draws, as the observation is.
    Returns (observed, null, mean [features], deviation [features]).
    """
    draws = len(null)
    mean, square = null.mean(0), (null**2).mean(0)
    mean_of_others = (draws * mean - null) / (draws - 1)
    variance_of_others = (draws * square - null**2) / (draws - 1) - mean_of_others**2
    deviation = np.sqrt(np.maximum(square - mean**2, 1e-12))
    left_out = (null - mean_of_others) / np.sqrt(np.maximum(variance_of_others, 1e-12))
    return (observed - mean) / deviation, left_out, mean, deviation


def pooled_p(observed: np.ndarray, null: np.ndarray, size: np.ndarray) -> np.ndarray:
    """p-values [features, ...] of standardised observations against pooled standardised draws.

    observed [features, ...], null [draws, features]; features are pooled with those of like `size`
    [features] (how often they fire), since that shapes the tail. Never zero: the smallest is one
    over the number of pooled draws.
    """
    p = np.empty(observed.shape)
    order = np.argsort(size, kind="stable")
    for group in np.array_split(order, max(1, len(order) // ALIKE)):
        pool = np.sort(null[:, group], axis=None)
        above = len(pool) - np.searchsorted(pool, observed[group], side="left")
        p[group] = (1 + above) / (1 + len(pool))
    return p
