"""From letters to functions: which section is the chorus, which the intro.

Where the lyrics name their sections, these names are taken. Else the sections whose lyrics repeat
are the chorus; without lyrics, those of the loudest letter that occurs more than once.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rasen.songs.structure.labels import FLAGS, SUNG, Section, flag_of_label

VOICE = -25.0  # dB of the mix's loud frames (95 %): above it, a frame of the vocals holds a voice
SUNG_SHARE = 0.2  # of a section's frames with a voice, for it to be sung
LATE = 0.5  # of the song, before which there is no bridge
FRAME = 0.25  # seconds

Lines = Sequence[Mapping[str, Any]]  # kept lines of an alignment, in order


def frame_power(sound: np.ndarray, rate: int) -> np.ndarray:
    """Mean power of sound [time] in frames of FRAME seconds: [frames]."""
    size = max(1, round(FRAME * rate))
    starts = np.arange(0, len(sound), size)
    return np.array([np.mean(np.square(sound[s : s + size], dtype=np.float64)) for s in starts])


def voiced_frames(vocals: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Which frames hold a voice: bool [frames], from the powers [frames] of vocals and mix."""
    return vocals > np.quantile(mix, 0.95) * 10 ** (VOICE / 10)


def move_off_lines(boundaries: np.ndarray, lines: Lines) -> np.ndarray:
    """Boundaries [n + 1] moved so that none cuts a line in two, with one added between any two
    sections that the lyrics name."""
    first, *cuts, last = boundaries
    moved = {_nearest_end(cut, lines) for cut in cuts}
    for before, after in pairwise(lines):
        # Two named sections without a boundary between them: halfway between their lines.
        if before["paragraph"] != after["paragraph"] and before["section"] and after["section"]:
            gap = _middle(before), _middle(after)
            if not any(gap[0] < cut < gap[1] for cut in moved):
                moved.add((before["end"] + after["start"]) / 2)
    return np.array([first, *sorted(cut for cut in moved if first < cut < last), last])


def _nearest_end(cut, lines):
    """`cut`, or the nearer end of the line that it is in."""
    for line in lines:
        if line["start"] < cut < line["end"]:
            return min(line["start"], line["end"], key=lambda edge: abs(edge - cut))
    return float(cut)


def _middle(line):
    return (line["start"] + line["end"]) / 2


def label_sections(
    boundaries: np.ndarray,
    letters: Sequence[str],
    power: np.ndarray,
    voiced: np.ndarray,
    lines: Lines = (),
) -> list[str]:
    """The flag of each section [n].

    boundaries: [n + 1] seconds;  letters: [n]
    power, voiced: [frames], as by `frame_power` of the mix and `voiced_frames`
    """
    count = len(letters)
    section = _section_at(boundaries, (np.arange(len(power)) + 0.5) * FRAME)
    loud = [power[section == i].mean() if (section == i).any() else 0.0 for i in range(count)]
    shares = [voiced[section == i].mean() if (section == i).any() else 0.0 for i in range(count)]
    sung_lines: list[list[Mapping[str, Any]]] = [[] for _ in range(count)]
    for line in lines:
        sung_lines[_section_at(boundaries, _middle(line))].append(line)
    sung = [bool(own) or share >= SUNG_SHARE for own, share in zip(sung_lines, shares, strict=True)]

    choruses = _repeated_lyrics(sung_lines, letters, loud, sung)
    if not choruses and not lines:  # ASSUME: a chorus repeats its words, where they are known
        choruses = _loudest_repeated(letters, loud, sung)
    with_voice = [i for i in range(count) if sung[i]]
    unique = [i for i in with_voice if sum(letters[j] == letters[i] for j in with_voice) == 1]
    late = boundaries[0] + LATE * (boundaries[-1] - boundaries[0])
    flags = []
    for i in range(count):
        between_choruses = any(j < i for j in choruses) and any(j > i for j in choruses)
        if named := _named_flag(sung_lines[i]):
            flags.append(named)
        elif not sung[i]:
            before, after = any(sung[:i]), any(sung[i + 1 :])
            # ASSUME: an instrumental is all inst; with a voice, what comes before it is intro.
            flags.append("inst" if before == after else "outro" if before else "intro")
        elif i in choruses:
            flags.append("chorus")
        elif i in unique and boundaries[i] >= late and between_choruses:
            flags.append("bridge")
        else:
            flags.append("verse")
    return flags


def _section_at(boundaries, times):
    """The section that each of `times` lies in."""
    return np.clip(np.searchsorted(boundaries, times, "right") - 1, 0, len(boundaries) - 2)


def _named_flag(lines):
    """The flag that the lyrics file gives most of the lines of a section, or None."""
    flags = [flag_of_label(line["section"]) for line in lines if line["section"]]
    flags = [flag for flag in flags if flag in FLAGS]
    return max(FLAGS, key=flags.count) if flags and 2 * len(flags) >= len(lines) else None


def _repeated_lyrics(sung_lines, letters, loud, sung):
    """Sections whose lines occur in the most others; those without lines go by their letter."""
    sections = defaultdict(set)  # of a line, the sections with it
    for i, lines in enumerate(sung_lines):
        for line in lines:
            sections[_bare_text(line)].add(i)
    scores = {i: np.median([len(sections[_bare_text(line)]) for line in lines])
              for i, lines in enumerate(sung_lines) if lines}  # fmt: skip
    if max(scores.values(), default=1) <= 1:
        return set()
    # A hook that ends the song occurs more often than the chorus it is from.
    enough = (max(scores.values()) + 1) / 2
    choruses = {i for i, score in scores.items() if score > enough}
    if choruses == set(scores):  # every line is repeated: the loudest letter
        choruses = _loudest_repeated(letters, loud, sung) or choruses
    for i in range(len(letters)):
        alike = [j in choruses for j in scores if letters[j] == letters[i]]
        if sung[i] and not sung_lines[i] and alike and np.mean(alike) > 0.5:
            choruses.add(i)
    return choruses


def _loudest_repeated(letters, loud, sung):
    """The sung sections of the loudest letter that occurs twice or more, beside other letters."""
    sections = defaultdict(list)
    for i, letter in enumerate(letters):
        if sung[i]:
            sections[letter].append(i)
    repeated = [own for own in sections.values() if len(own) > 1]
    if len(sections) < 2 or not repeated:
        return set()
    return set(max(repeated, key=lambda own: np.mean([loud[i] for i in own])))


def _bare_text(line):
    """A line's letters alone."""
    return re.sub(r"\W+", " ", line["text"].lower()).strip()


def merge_unsung(sections: Sequence[Section]) -> list[Section]:
    """Sections with unsung neighbours of one flag merged, their confidences averaged over time."""
    merged: list[Section] = []
    for section in sections:
        if merged and section.flag not in SUNG and merged[-1].flag == section.flag:
            start, middle, _, earlier = merged.pop()
            end = section.end
            confidence = (
                earlier * (middle - start) + section.confidence * (end - section.start)
            ) / (end - start)
            section = section._replace(start=start, confidence=confidence)
        merged.append(section)
    return merged
