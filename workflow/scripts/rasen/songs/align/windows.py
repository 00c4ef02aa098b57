"""Where a line of the lyrics is sung: a window that holds the line and nothing else.

Transcribed words are `Word`s in order of time; a line's `indices` say which of them is in the place
of each of its words (-1: none).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from rasen.songs.align.words import Span, Word

PAD = 0.2  # seconds of a window before and after the transcribed words
PAUSE = 6.0  # a longer silence inside a line means that one side of it belongs to other lines
UNTRANSCRIBED = 0.5  # seconds allowed for each word that was not transcribed
EDGE = 0.05  # seconds that every window has before and after its transcribed words
EARLY = 0.8  # a pause after the first words of a line that makes their times doubtful,
ROOM = 0.08  # when so many seconds of voice per word come after the pause, before the next word
SEPARATE = 2.0  # a longer silence separates two stretches with a voice
FASTEST = 0.1  # seconds in which a word can be sung


def drop_outliers(indices: np.ndarray, transcribed: Sequence[Word]) -> np.ndarray:
    """`indices` [words] without those that a long pause separates from most of the line."""
    indices = indices.copy()
    known = np.flatnonzero(indices >= 0)
    if not len(known):
        return indices
    words = [transcribed[index] for index in indices[known]]
    pauses = [after.start - before.end > PAUSE for before, after in pairwise(words)]
    group = np.concatenate([[0], np.cumsum(pauses)]).astype(int)
    indices[known[group != np.bincount(group).argmax()]] = -1
    return indices


def sort_and_trim(words: Sequence[Word], segments: Sequence[Span]) -> list[Word]:
    """`words` in order of time, each cut at the end of its voice activity segment: characters end
    where the next one begins, even after a silence."""
    starts = [start for start, _ in segments]
    trimmed = []
    for word in sorted(words, key=lambda word: word.start):
        number = int(np.searchsorted(starts, word.start, side="right")) - 1
        if number >= 0 and word.start < segments[number][1] < word.end:
            word = replace(word, end=segments[number][1])
        trimmed.append(word)
    return trimmed


def line_window(
    indices: np.ndarray,
    recovered: Sequence[int],
    assigned: np.ndarray,
    transcribed: Sequence[Word],
    segments: Sequence[Span],
    seconds: float,
) -> Span:
    """(start, end) in seconds of a line of which words were transcribed.

    recovered: indices of other transcribed words that belong to the line
    assigned: bool [transcribed], words that belong to any line
    The window also covers words of the line that were not transcribed, but never a word of another
    line.
    """
    known = np.flatnonzero(indices >= 0)
    own = sorted([*indices[known], *recovered])
    before, after = int(known[0]), len(indices) - 1 - int(known[-1])
    early, voice_start = _early_words([transcribed[index] for index in own], segments)
    first, last = transcribed[own[early]], transcribed[own[-1]]
    left = _neighbour(range(own[0] - 1, -1, -1), before, assigned)
    right = _neighbour(range(own[-1] + 1, len(transcribed)), after, assigned)
    start = max(first.start - UNTRANSCRIBED * (before + early), voice_start) - PAD
    end = last.end + PAD + UNTRANSCRIBED * after
    if left is not None:
        start = max(start, min(transcribed[left].end, first.start - EDGE))
    if right is not None:
        end = min(end, max(transcribed[right].start, last.end + EDGE))
    return max(0.0, start), min(seconds, end)


def _early_words(words, segments):
    """The number of first words of a line with too early times, and when the voice really begins.

    On imperfect vocals a line's first word is often put before the pause that it follows.
    """
    for count in (1, 2):
        if 2 * count < len(words):
            before, first = words[count - 1], words[count]
            voice_start = max((start for start, _ in segments if start <= first.start), default=0.0)
            late = first.start - voice_start >= ROOM * count
            if first.start - before.end > EARLY and before.end <= voice_start and late:
                return count, voice_start
    return 0, -np.inf


def _neighbour(candidates, missing, assigned):
    """The next word that is not the line's, or None. Where words of the line are missing, a word
    that belongs to no line may be one of them, misheard: it is no limit."""
    return next((index for index in candidates if assigned[index] or not missing), None)


def longest_voiced_stretch(gap: Span, segments: Sequence[Span], count: int) -> Span | None:
    """(start, end) of the longest stretch with a voice in the gap between two lines, padded.

    None where it is too short for `count` words.
    """
    start, end = gap
    inside = [(max(a, start), min(b, end)) for a, b in segments if a < end and b > start]
    stretches: list[list[float]] = []
    for first, last in inside:
        if stretches and first - stretches[-1][1] <= SEPARATE:
            stretches[-1][1] = last
        else:
            stretches.append([first, last])
    first, last = max(stretches, key=lambda stretch: stretch[1] - stretch[0], default=(0.0, 0.0))
    if last - first < FASTEST * count:
        return None
    return max(start, first - PAD), min(end, last + PAD)
