"""Words that are sung but missing in the lyrics: heard words that belong to no lyric word."""

from itertools import pairwise

import numpy as np

TOUCH = 0.4  # seconds between a line and a word that still is a part of it
SHARE = 0.5  # of a line's words: where more are missing, the line is another one


def missing(places, heard):
    """For each line a dict: before which of its words -> indices of heard words to put there.

    places: for each line, the heard word in the place of each of its words (-1: none). Heard
    words inside a line are the line's; those between two lines go to the nearer one, when they
    touch it.
    """
    found = [{} for _ in places]
    owner = [
        (place, line, word)
        for line, row in enumerate(places)
        for word, place in enumerate(row)
        if place >= 0
    ]
    none = (None, None, None)
    for before, after in zip([none, *owner], [*owner, none], strict=True):
        (left, line, word), (right, next_line, next_word) = before, after
        if line is not None and line == next_line:
            _put(found[line], next_word, range(left + 1, right))
            continue
        with_left, with_right = _split(left, right, heard)
        if line is not None and word == len(places[line]) - 1:
            _put(found[line], len(places[line]), with_left)
        if next_line is not None and next_word == 0:
            _put(found[next_line], 0, with_right)
    for line, row in enumerate(places):
        if sum(map(len, found[line].values())) > SHARE * len(row):
            found[line] = {}
    return found


def _put(line, word, indices):
    if indices:
        line[word] = list(indices)


def _split(left, right, heard):
    """The heard words between two owned ones (None: an end of the song) that touch the left and
    that touch the right one; parted where the next word is longest in coming."""
    first = 0 if left is None else left + 1
    between = list(range(first, len(heard) if right is None else right))
    chain = [left, *between, right]
    # A character ends where the next one begins, so silence shows between beginnings only.
    waits = [_after(a, b, heard, "start") for a, b in pairwise(chain)]
    cut = int(np.argmax(waits))
    far = np.flatnonzero([_after(a, b, heard, "end") > TOUCH for a, b in pairwise(chain)])
    to_left = min([cut, *far[:1]])
    to_right = max([cut, *far[-1:]])
    return between[:to_left], between[to_right:]


def _after(a, b, heard, edge):
    """Seconds from the start or end of word `a` to the start of `b`; endless at a song's ends."""
    return np.inf if a is None or b is None else heard[b].start - getattr(heard[a], edge)
