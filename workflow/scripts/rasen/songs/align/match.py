"""The words of the lyrics, found in order among the transcribed words.

A global alignment (Needleman-Wunsch with affine gaps, after Gotoh) of two sequences of words. A
whole line that is not sung, or transcribed words between two lines, cost little; a gap inside a
line costs much. So where a chorus is printed twice and sung once, its words stay together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAME = 0.6  # similarity (1 - edit distance / longer word) from which two words are the same one
LONGEST = 24  # letters of a word that are compared

# Scores are integers, so that the traceback can compare them for equality.
OTHER = -250  # another word in the place of the lyrics' word (misheard)
SKIP = -100  # each word in a gap
GAP_IN_LINE = -400  # a gap that begins inside a line
GAP_BETWEEN_LINES = -50  # a gap that begins between two lines
NEVER = -(10**8)


@dataclass(frozen=True)
class Match:
    """For each line, arrays [words]: the index of the transcribed word in its place (-1: none), and
    whether it is the same word (or only another one in its place)."""

    indices: list[np.ndarray]
    same: list[np.ndarray]


def match_words(lines: Sequence[Sequence[str]], transcribed: Sequence[str]) -> Match:
    """Find `lines` (the words of each line) in the transcribed words, all normalised."""
    words = [word for line in lines for word in line]
    likeness = similarity(words, transcribed)
    first = np.zeros(len(words) + 1, dtype=bool)  # words that begin a line
    first[np.cumsum([0, *map(len, lines)])] = True
    indices = _align(_scores(likeness), first)
    same = np.zeros(len(words), dtype=bool)
    paired = np.flatnonzero(indices >= 0)
    same[paired] = likeness[paired, indices[paired]] >= SAME
    ends = np.cumsum([len(line) for line in lines])[:-1]
    return Match(np.split(indices, ends), np.split(same, ends))


def similarity(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """[left, right]: 1 for equal words, down to 0: 1 - edit distance / length of the longer."""
    a, rows = np.unique(np.array(left, dtype=f"U{LONGEST}"), return_inverse=True)
    b, columns = np.unique(np.array(right, dtype=f"U{LONGEST}"), return_inverse=True)
    if not len(a) or not len(b):
        return np.zeros((len(left), len(right)))
    return _similarity(a, b)[rows][:, columns]


def _similarity(a, b):
    """`similarity` of distinct words: the edit distances of all pairs at once."""
    lengths_a, lengths_b = np.char.str_len(a), np.char.str_len(b)
    letters_a = a.view(np.int32).reshape(len(a), -1)[:, : lengths_a.max()]
    letters_b = b.view(np.int32).reshape(len(b), -1)[:, : lengths_b.max()]
    width = letters_b.shape[1]
    shape = (len(a), len(b))
    distance = np.zeros(shape, dtype=np.int16)
    # row[j]: distance of the first i letters of a to the first j of b, [a, b]
    row = [np.full(shape, j, dtype=np.int16) for j in range(width + 1)]
    _collect(distance, row, lengths_a == 0, lengths_b)
    for i in range(letters_a.shape[1]):
        above, row = row, [np.full(shape, i + 1, dtype=np.int16)]
        for j in range(width):
            differ = letters_a[:, i, None] != letters_b[None, :, j]
            inserted_or_deleted = np.minimum(above[j + 1], row[j]) + np.int16(1)
            row.append(np.minimum(above[j] + differ, inserted_or_deleted))
        _collect(distance, row, lengths_a == i + 1, lengths_b)
    longer = np.maximum(np.maximum(lengths_a[:, None], lengths_b[None, :]), 1)
    return 1 - distance / longer


def _collect(distance, row, ready, lengths_b):
    """Keep the distances of the words of `a` that end here, at the end of each word of `b`."""
    for length in np.unique(lengths_b):
        chosen = np.ix_(ready, lengths_b == length)
        distance[chosen] = row[length][chosen]


def _scores(likeness):
    """The score of pairing two words: 1000 for equal ones, `OTHER` for different ones."""
    scores = np.full(likeness.shape, OTHER)
    same = likeness >= SAME
    scores[same] = np.rint(1000 * (2 * likeness[same] - 1)).astype(int)
    return scores


def _align(scores, first):
    """For each row of `scores` [n, m] its column (-1: none); `first` [n + 1] begins a line."""
    n, m = scores.shape
    opening = np.where(first, GAP_BETWEEN_LINES, GAP_IN_LINE)  # of a gap before word i
    # Best score that ends with a pair, with an unmatched lyric word, an unmatched transcribed one.
    pair = np.full((n + 1, m + 1), NEVER)
    skip = np.full((n + 1, m + 1), NEVER)
    spare = np.full((n + 1, m + 1), NEVER)
    pair[0, 0] = 0
    steps = SKIP * np.arange(m + 1)
    for i in range(n + 1):
        if i:
            best = np.maximum(np.maximum(pair[i - 1], skip[i - 1]), spare[i - 1])
            pair[i, 1:] = best[:-1] + scores[i - 1]
            opened = np.maximum(pair[i - 1], spare[i - 1]) + opening[i - 1]
            skip[i] = np.maximum(opened, skip[i - 1]) + SKIP
        # A run of unmatched transcribed words from some k < j to j: a running maximum over k.
        began = np.maximum(pair[i], skip[i]) + opening[i] - steps
        spare[i, 1:] = np.maximum.accumulate(began)[:-1] + steps[1:]
    return _traceback(pair, skip, spare, scores, opening)


def _traceback(pair, skip, spare, scores, opening):
    """The column of each row on the best path through the three tables."""
    columns = np.full(len(scores), -1)
    i, j = len(scores), scores.shape[1]
    tables = (pair, skip, spare)
    state = int(np.argmax([table[i, j] for table in tables]))
    while i or j:
        if state == 0:
            columns[i - 1] = j - 1
            i, j = i - 1, j - 1
            state = int(np.argmax([table[i, j] for table in tables]))
        elif state == 1:
            score = skip[i, j] - SKIP
            i -= 1
            if score != skip[i, j]:
                state = 0 if score == pair[i, j] + opening[i] else 2
        else:
            score = spare[i, j] - SKIP
            j -= 1
            if score != spare[i, j]:
                state = 0 if score == pair[i, j] + opening[i] else 1
    return columns
