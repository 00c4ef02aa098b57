"""Training, validation and test rows, 8:1:1 by group (song, document, artist), never by row.

A clip without a group is a group of its own.
"""

import numpy as np

from rasen.errors import RasenError
from rasen.seeds import generator

TRAIN, VALIDATION, TEST = 0, 1, 2


def split_by_clip(groups: np.ndarray, seed: int) -> np.ndarray:
    """TRAIN, VALIDATION or TEST of each unit [units], rows or clips, for the group of each."""
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 3:
        raise RasenError(
            f"activations: {len(names)} clips; at least 3 are needed to train, choose and test on "
            "(those of one group count as one)"
        )
    held_out = max(1, round(len(names) / 10))
    order = generator(seed, "sae", "split").permutation(len(names))
    part = np.full(len(names), TRAIN, np.int8)
    part[order[:held_out]] = VALIDATION
    part[order[held_out : 2 * held_out]] = TEST
    return part[group]


def sample_whole_clips(
    parts: np.ndarray, groups: np.ndarray, part: int, wanted: int, seed: int
) -> np.ndarray:
    """Numbers of rows of a part, ascending: whole groups in seeded order until `wanted` are there.

    parts, groups: of each row [rows], see split_by_clip
    """
    rows = np.flatnonzero(parts == part)
    names, group, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    order = generator(seed, "sae", "some", part).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    chosen = np.zeros(len(names), bool)
    chosen[order[before < wanted]] = True
    return rows[chosen[group]]
