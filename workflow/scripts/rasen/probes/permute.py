"""Labels permuted so that what they share within a group is kept."""

import numpy as np


def permuted(
    kind: str, truth: np.ndarray, group: np.ndarray, song: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """The truth [rows, ...] with labels that say nothing about the features.

    ASSUME: groups are exchangeable. Each group gets the labels of another one, in random order: a
    label that is the same throughout a group stays so, and labels as mixed as a group's stay as
    mixed. Where the numbers of rows differ, labels are drawn from the other group's. Of a song, all
    rows get one label. Frames are not exchangeable in time: a clip's labels are rotated.
    """
    if kind == "frames":
        return _rotated(truth, rng)
    _, code = np.unique(group, return_inverse=True)
    item = np.arange(len(truth)) if song is None else np.unique(song, return_inverse=True)[1]
    _, first, item = np.unique(item, return_index=True, return_inverse=True)
    members = _members(code[first])  # items of each group
    source = np.empty(len(first), dtype=np.int64)
    for here, other in zip(members, rng.permutation(len(members)), strict=True):
        source[here] = _drawn(members[other], len(here), rng)
    return truth[first[source]][item]


def _members(code):
    order = np.argsort(code, kind="stable")
    return np.split(order, np.cumsum(np.bincount(code))[:-1])


def _drawn(items, count, rng):
    """`count` of the items in random order, each as often as possible the same number of times."""
    rounds = [rng.permutation(items) for _ in range(-(-count // len(items)))]
    return np.concatenate(rounds)[:count]


def _rotated(truth, rng):
    """Events of each clip shifted by a random number of frames, around its end."""
    result = truth.copy()
    for rows in _members(truth["clip"]):
        rows = rows[np.argsort(truth["time"][rows], kind="stable")]
        shift = int(rng.integers(len(rows)))
        within = truth["event"][rows] - truth["time"][rows]  # where in its frame an event lies
        result["event"][rows] = np.roll(within, shift) + truth["time"][rows]
    return result
