"""How well found sections agree with the truth."""

import numpy as np


def hit_rate(truth, found, window):
    """F of boundaries found within `window` seconds, each matched once (as mir_eval.segment)."""
    truth, found = sorted(truth), sorted(found)
    hits = i = j = 0
    while i < len(truth) and j < len(found):
        if abs(truth[i] - found[j]) <= window:
            hits, i, j = hits + 1, i + 1, j + 1
        elif truth[i] < found[j]:
            i += 1
        else:
            j += 1
    return 2 * hits / (len(truth) + len(found)) if hits else 0.0


def pairwise(truth, found, step=0.1):
    """F of the pairs of moments that have the same letter; each a list of (start, end, letter)."""
    times = np.arange(step / 2, min(truth[-1][1], found[-1][1]), step)
    same = [labels_at(rows, times)[:, None] == labels_at(rows, times) for rows in (truth, found)]
    both = (same[0] & same[1]).sum()
    return 2 * both / (same[0].sum() + same[1].sum())


def accuracy(truth, found, step=0.1):
    """Share of the song that has the right label; each a list of (start, end, label)."""
    times = np.arange(step / 2, truth[-1][1], step)
    return (labels_at(truth, times) == labels_at(found, times)).mean()


def labels_at(rows, times):
    starts = [row[0] for row in rows]
    return np.array([row[2] for row in rows])[np.searchsorted(starts, times, "right") - 1]
