"""Where a line of the lyrics is sung: a window that holds the line and nothing else.

Heard words are `Word`s in order of time; a line's `places` are its words' indices among them (-1
where none was heard).
"""

from itertools import pairwise

import numpy as np

PAD = 0.2  # seconds of a window before and after the heard words
PAUSE = 6.0  # a longer silence inside a line means that one side of it is not the line's
UNHEARD = 0.5  # seconds that we allow for each word that was not heard
EDGE = 0.05  # seconds that every window has before and after its heard words
STRAY = 0.8  # a pause after the first words of a line that makes them doubtful,
ROOM = 0.08  # when so much voice for each of them stands after the pause, before the next word
AGREE = 1.0  # seconds by which a good time stamp may be off
BELIEVED = 0.7  # share of the stamps that must agree with what was heard
PARTED = 2.0  # a longer silence parts two stretches with a voice
FASTEST = 0.1  # seconds in which a word can be sung


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


def in_order(heard, turns):
    """`heard` words in order of time, none longer than the voice: characters end where the next
    one begins, be it after a silence. turns: (start, end) of the stretches with a voice."""
    starts = [start for start, _ in turns]
    heard = sorted(heard, key=lambda word: word.start)
    for word in heard:
        turn = np.searchsorted(starts, word.start, side="right") - 1
        if turn >= 0 and word.start < turns[turn][1] < word.end:
            word.end = turns[turn][1]
    return heard


def window(places, extra, taken, heard, turns, seconds):
    """(start, end) in seconds of a line that was heard.

    extra: indices of other heard words that belong to the line; taken: bool [heard], words that
    belong to any line. The window reaches over words of the line that were not heard, but never
    over a word that is another line's.
    """
    known = np.flatnonzero(places >= 0)
    own = sorted([*places[known], *extra])
    before, after = int(known[0]), len(places) - 1 - int(known[-1])
    strays, turn = _strays([heard[index] for index in own], turns)
    first, last = heard[own[strays]], heard[own[-1]]
    left = _neighbour(range(own[0] - 1, -1, -1), before, taken)
    right = _neighbour(range(own[-1] + 1, len(heard)), after, taken)
    start = max(first.start - UNHEARD * (before + strays), turn) - PAD
    end = last.end + PAD + UNHEARD * after
    if left is not None:
        start = max(start, min(heard[left].end, first.start - EDGE))
    if right is not None:
        end = min(end, max(heard[right].start, last.end + EDGE))
    return max(0.0, start), min(seconds, end)


def _strays(spoken, turns):
    """How many first words of a line are set too early, and when the voice really begins.

    On imperfect vocals a line's first word is often put before the pause that it follows.
    """
    for count in (1, 2):
        if 2 * count < len(spoken):
            before, first = spoken[count - 1], spoken[count]
            turn = max((start for start, _ in turns if start <= first.start), default=0.0)
            late = first.start - turn >= ROOM * count
            if first.start - before.end > STRAY and before.end <= turn and late:
                return count, turn
    return 0, -np.inf


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


def by_stamp(line, shift, span):
    """[the part of a window that the line's stamp allows], [] where it allows nearly all or none.

    Words that were heard next to a line that was not are spread over it: stamps know better.
    """
    if shift is None or line.start is None:
        return []
    latest = np.inf if line.end is None else line.end + shift
    start = max(span[0], line.start + shift - AGREE / 2)
    end = min(span[1], latest + AGREE / 2)
    outside = span[1] - span[0] - (end - start)
    return [(start, end)] if outside > AGREE / 2 and end - start > AGREE / 2 else []


def stamped_window(line, words, shift, heard, seconds):
    """(start, end) of a line in which nothing was heard, by its LRC stamp; None where something
    else was."""
    start = line.start + shift
    latest = np.inf if line.end is None else line.end + shift
    core = min(start + UNHEARD * words, latest)  # here it is surely sung, if it is
    middles = np.array([(word.start + word.end) / 2 for word in heard])
    if ((start < middles) & (middles < core)).any():
        return None
    end = min(start + 2 * UNHEARD * words + 1, latest) + PAD
    before = [word.end for word in heard if (word.start + word.end) / 2 <= start]
    after = [word.start for word in heard if (word.start + word.end) / 2 >= core]
    start, end = max(0.0, start - PAD, *before), min(seconds, end, *after)
    return (start, end) if end > start else None


def voiced_gap(start, end, turns, words):
    """(start, end) of the longest stretch with a voice between two lines, with some room; None
    where there is too little of it for so many words."""
    inside = [(max(a, start), min(b, end)) for a, b in turns if a < end and b > start]
    stretches = []
    for first, last in inside:
        if stretches and first - stretches[-1][1] <= PARTED:
            stretches[-1][1] = last
        else:
            stretches.append([first, last])
    first, last = max(stretches, key=lambda s: s[1] - s[0], default=(0.0, 0.0))
    if last - first < FASTEST * words:
        return None
    return max(start, first - PAD), min(end, last + PAD)
