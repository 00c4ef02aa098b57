"""From letters to functions: which section is the chorus, which the intro.

Where the lyrics name their sections, these names win. Else what repeats in the lyrics is the
chorus; without lyrics it is the loudest of the letters that come back.
"""

import re
from collections import defaultdict
from itertools import pairwise

import numpy as np

from rasen.songs.structure.labels import FLAGS, SUNG, flag

VOICE = -25.0  # dB of the mix's loud frames (95 %): above it, a frame of the vocals holds a voice
SUNG_SHARE = 0.2  # of a section's frames with a voice, for it to be sung
LATE = 0.5  # of the song, before which there is no bridge
FRAME = 0.25  # seconds


def loudness(sound, rate):
    """Mean power of sound [time] in frames of FRAME seconds: [frames]."""
    size = max(1, round(FRAME * rate))
    starts = np.arange(0, len(sound), size)
    return np.array([np.mean(np.square(sound[s : s + size], dtype=np.float64)) for s in starts])


def voiced(vocals, mix):
    """Which frames hold a voice [frames], from the powers [frames] of the vocals and the mix."""
    return vocals > np.quantile(mix, 0.95) * 10 ** (VOICE / 10)


def between_lines(boundaries, lines):
    """Boundaries moved off sung lines: none cuts a line in two, and named sections are parted.

    boundaries: [n + 1] with the song's two ends. lines: kept lines in order.
    """
    first, *cuts, last = boundaries
    moved = {_off(cut, lines) for cut in cuts}
    for before, after in pairwise(lines):
        # Two named sections that nothing parts: halfway between their lines.
        if before["paragraph"] != after["paragraph"] and before["section"] and after["section"]:
            gap = _middle(before), _middle(after)
            if not any(gap[0] < cut < gap[1] for cut in moved):
                moved.add((before["end"] + after["start"]) / 2)
    return np.array([first, *sorted(cut for cut in moved if first < cut < last), last])


def _off(cut, lines):
    """`cut`, or the nearer end of the line that it is in."""
    for line in lines:
        if line["start"] < cut < line["end"]:
            return min(line["start"], line["end"], key=lambda edge: abs(edge - cut))
    return float(cut)


def _middle(line):
    return (line["start"] + line["end"]) / 2


def name(boundaries, letters, power, voice, lines=()):
    """The flag of each section [n].

    boundaries: [n + 1] seconds; letters: [n]; power, voice: of each frame, as by `loudness` of the
    mix and `voiced`; lines: kept lines.
    """
    count = len(letters)
    section = _index(boundaries, (np.arange(len(power)) + 0.5) * FRAME)
    loud = [power[section == i].mean() if (section == i).any() else 0.0 for i in range(count)]
    share = [voice[section == i].mean() if (section == i).any() else 0.0 for i in range(count)]
    sung_lines = [[] for _ in range(count)]
    for line in lines:
        sung_lines[_index(boundaries, _middle(line))].append(line)
    sung = [
        bool(found) or part >= SUNG_SHARE for found, part in zip(sung_lines, share, strict=True)
    ]

    choruses = _repeated_words(sung_lines, letters, loud, sung)
    if not choruses:
        choruses = _loudest_return(letters, loud, sung)
    voices = [i for i in range(count) if sung[i]]
    alone = [i for i in voices if sum(letters[j] == letters[i] for j in voices) == 1]
    late = boundaries[0] + LATE * (boundaries[-1] - boundaries[0])
    flags = []
    for i in range(count):
        if given := _given(sung_lines[i]):
            flags.append(given)
        elif not sung[i]:
            before, after = any(sung[:i]), any(sung[i + 1 :])
            # ASSUME: an instrumental is all inst; with a voice, what comes before it is intro.
            flags.append("inst" if before == after else "outro" if before else "intro")
        elif i in choruses:
            flags.append("chorus")
        elif (i in alone and boundaries[i] >= late
              and any(j < i for j in choruses) and any(j > i for j in choruses)):  # fmt: skip
            flags.append("bridge")
        else:
            flags.append("verse")
    return flags


def _index(boundaries, times):
    """The section that each of `times` lies in."""
    return np.clip(np.searchsorted(boundaries, times, "right") - 1, 0, len(boundaries) - 2)


def _given(lines):
    """What the lyrics file calls most of the lines of a section, or None."""
    named = [flag(line["section"]) for line in lines if line["section"]]
    named = [each for each in named if each in FLAGS]
    return max(FLAGS, key=named.count) if named and 2 * len(named) >= len(lines) else None


def _repeated_words(sung_lines, letters, loud, sung):
    """Sections whose lines come back in the most others; those of no lines go by their letter."""
    holders = defaultdict(set)  # of a line, the sections with it
    for i, lines in enumerate(sung_lines):
        for line in lines:
            holders[_plain(line["text"])].add(i)
    scores = {i: np.median([len(holders[_plain(line["text"])]) for line in lines])
              for i, lines in enumerate(sung_lines) if lines}  # fmt: skip
    if max(scores.values(), default=1) <= 1:
        return set()
    # A hook that ends the song comes back more often than the chorus it is from.
    enough = (max(scores.values()) + 1) / 2
    choruses = {i for i, score in scores.items() if score > enough}
    if choruses == set(scores):  # every word comes back: the loudest letter
        choruses = _loudest_return(letters, loud, sung) or choruses
    for i in range(len(letters)):
        alike = [j in choruses for j in scores if letters[j] == letters[i]]
        if sung[i] and not sung_lines[i] and alike and np.mean(alike) > 0.5:
            choruses.add(i)
    return choruses


def _loudest_return(letters, loud, sung):
    """The sung sections of the loudest letter that occurs twice or more, beside other letters."""
    places = defaultdict(list)
    for i, each in enumerate(letters):
        if sung[i]:
            places[each].append(i)
    returning = [found for found in places.values() if len(found) > 1]
    if len(places) < 2 or not returning:
        return set()
    return set(max(returning, key=lambda found: np.mean([loud[i] for i in found])))


def _plain(text):
    """A line's letters alone."""
    return re.sub(r"\W+", " ", text.lower()).strip()


def join(rows):
    """[(start, end, flag, confidence)] with neighbours of one flag that nobody sings made one."""
    joined = []
    for start, end, each, confidence in rows:
        if joined and each not in SUNG and joined[-1][2] == each:
            first, middle, _, earlier = joined.pop()
            confidence = (earlier * (middle - first) + confidence * (end - start)) / (end - first)
            start = first
        joined.append((start, end, each, confidence))
    return joined
