"""Words that are sung but missing in the lyrics: transcribed words that match no lyric word."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from rasen.songs.align.words import Word

ADJACENT = 0.4  # seconds between a line and a word that still is a part of it
SHARE = 0.5  # of a line's words: where more are missing, it is another line that is sung


def recovered_words(
    matches: Sequence[np.ndarray], transcribed: Sequence[Word]
) -> list[dict[int, list[int]]]:
    """For each line {before which of its words: indices of transcribed words to insert there}.

    matches: for each line, the index of the transcribed word in the place of each word (-1: none)
    Transcribed words inside a line belong to the line; those between two lines to the nearer one,
    if they are adjacent to it.
    """
    recovered: list[dict[int, list[int]]] = [{} for _ in matches]
    matched = [
        (index, line, word)
        for line, indices in enumerate(matches)
        for word, index in enumerate(indices)
        if index >= 0
    ]
    end = (None, None, None)
    for before, after in zip([end, *matched], [*matched, end], strict=True):
        (left, line, word), (right, next_line, next_word) = before, after
        if line is not None and line == next_line:
            _insert(recovered[line], next_word, range(left + 1, right))
            continue
        with_left, with_right = _divide(left, right, transcribed)
        if line is not None and word == len(matches[line]) - 1:
            _insert(recovered[line], len(matches[line]), with_left)
        if next_line is not None and next_word == 0:
            _insert(recovered[next_line], 0, with_right)
    for line, indices in enumerate(matches):
        if sum(map(len, recovered[line].values())) > SHARE * len(indices):
            recovered[line] = {}
    return recovered


def _insert(line, word, indices):
    if indices:
        line[word] = list(indices)


def _divide(left, right, transcribed):
    """The words between two matched ones (None: an end of the song) that are adjacent to the left
    one, and those adjacent to the right one; divided at the longest pause."""
    first = 0 if left is None else left + 1
    between = list(range(first, len(transcribed) if right is None else right))
    chain = [left, *between, right]
    # A character ends where the next one begins, so pauses are measured from start to start.
    pauses = [_pause(a, b, transcribed, "start") for a, b in pairwise(chain)]
    cut = int(np.argmax(pauses))
    far = np.flatnonzero([_pause(a, b, transcribed, "end") > ADJACENT for a, b in pairwise(chain)])
    to_left = min([cut, *far[:1]])
    to_right = max([cut, *far[-1:]])
    return between[:to_left], between[to_right:]


def _pause(a, b, transcribed, edge):
    """Seconds from the start or end of word `a` to the start of `b`; infinite at a song's ends."""
    if a is None or b is None:
        return np.inf
    return transcribed[b].start - getattr(transcribed[a], edge)
