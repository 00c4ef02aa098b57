"""Where a line of the lyrics is sung: a window that holds the line and nothing else.

Heard words are `Word`s in order of time; a line's `places` are its words' indices among them (-1
where none was heard).
"""

from itertools import pairwise

import numpy as np

PAUSE = 4.0  # a longer silence inside a line means that one side of it is not the line's
UNHEARD = 0.5  # seconds that we allow for each word that was not heard
EDGE = 0.05  # seconds that every window has before and after its heard words
AGREE = 1.0  # seconds by which a good time stamp may be off
BELIEVED = 0.7  # share of the stamps that must agree with what was heard


def settle(places, heard):
    """`places` [words] without those that a long pause parts from most of the line."""
    places = places.copy()
    known = np.flatnonzero(places >= 0)
    if not len(known):
        return places
    spoken = [heard[place] for place in places[known]]
    pauses = [b.start - a.end > PAUSE for a, b in pairwise(spoken)]
    group = np.concatenate([[0], np.cumsum(pauses)]).astype(int)
    places[known[group != np.bincount(group).argmax()]] = -1
    return places


def window(places, extra, taken, heard, seconds, pad=0.2):
    """(start, end) in seconds of a line that was heard.

    extra: indices of other heard words that belong to the line; taken: bool [heard], words that
    belong to any line. The window reaches over words of the line that were not heard, but never
    over a word that is another line's.
    """
    known = np.flatnonzero(places >= 0)
    own = sorted([*places[known], *extra])
    before, after = int(known[0]), len(places) - 1 - int(known[-1])
    first, last = heard[own[0]], heard[own[-1]]
    left = _neighbour(range(own[0] - 1, -1, -1), before, taken)
    right = _neighbour(range(own[-1] + 1, len(heard)), after, taken)
    start = first.start - pad - UNHEARD * before
    end = last.end + pad + UNHEARD * after
    if left is not None:
        start = max(start, min(heard[left].end, first.start - EDGE))
    if right is not None:
        end = min(end, max(heard[right].start, last.end + EDGE))
    return max(0.0, start), min(seconds, end)


def _neighbour(indices, unheard, taken):
    """The next word that is not the line's. Where words of the line were not heard, a word that
    is nobody's may be one of them, misheard: it is no limit."""
    return next((index for index in indices if taken[index] or not unheard), None)


def stamp_shift(starts, stamps):
    """Seconds to add to LRC stamps, or None where they do not fit what was heard.

    starts: times at which lines were heard to begin; stamps: their LRC times. The same shift for
    all is common (another master of the song); times that agree in no way are wrong.
    """
    if len(starts) < 2:
        return None
    off = np.asarray(starts) - np.asarray(stamps)
    shift = float(np.median(off))
    return shift if (abs(off - shift) <= AGREE).mean() >= BELIEVED else None


def stamped_window(line, words, shift, heard, seconds, pad=0.2):
    """(start, end) of a line in which nothing was heard, by its LRC stamp; None where something
    else was."""
    start = line.start + shift
    end = start + 2 * UNHEARD * words + 1
    if line.end is not None:
        end = min(end, line.end + shift)
    if any(start < (word.start + word.end) / 2 < end for word in heard):
        return None
    limits = [word.end for word in heard if word.end <= start + AGREE]
    start = max([start - pad, *limits]) if limits else start - pad
    limits = [word.start for word in heard if word.start >= end - AGREE]
    end = min([end + pad, *limits]) if limits else end + pad
    start, end = max(0.0, start), min(seconds, end)
    return (start, end) if end > start else None
