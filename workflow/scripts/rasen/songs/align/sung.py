"""Lines found without a transcript: at their LRC times, or in order wherever there is a voice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rasen.seeds import generator
from rasen.songs.align.find import Align, FoundLine, align_words, judge
from rasen.songs.align.place import Evidence, place_lines, surprise, weigh_evidence
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.voice import voiced_frames
from rasen.songs.align.windows import PAD
from rasen.songs.align.words import FRAME, SAMPLE_RATE, Span
from rasen.songs.lyrics import Line, split_words

AGREE = 1.0  # seconds by which a correct time stamp may be off
TAIL = 1.0  # seconds after a line's last letter that its last word can go on, while voiced
SUNG = 0.2  # seconds of voice per word from which another line is sung in a line's place
ECHO = 0.3  # seconds by which a line that is sung over another one may begin before its stamp


@dataclass(frozen=True)
class Heard:
    """A song as the aligner hears it. letters: of each line;  borders: columns between words"""

    evidence: Evidence
    letters: list[list[int]]
    borders: list[int]


def hear(aligner: Any, vocals: np.ndarray, lines: Sequence[Line], language: str) -> Heard:
    """The evidence of the letters of `lines` in `vocals` [time]; the aligner runs once."""
    classes = [aligner.letters(split_words(line.text, language), language) for line in lines]
    blank, borders = aligner.marks(language)
    evidence = weigh_evidence(
        aligner.listen(vocals, language),
        voiced_frames(vocals),
        blank,
        [letter for line in classes for letter in line],
    )
    columns = evidence.columns
    letters = [[columns[letter] for letter in line] for line in classes]
    return Heard(evidence, letters, [columns[border] for border in borders if border in columns])


def find_by_sound(
    lines: Sequence[Line],
    language: str,
    heard: Heard,
    align: Align,
    settings: AlignSettings,
    song: str,
    stamped: bool,
) -> list[FoundLine]:
    """The outcome of each line.

    align: gives the times of words in a window;  song: its name, from which numbers are drawn
    stamped: whether each line is sung by its LRC time
    """
    seconds = len(heard.evidence.ratio) * FRAME / SAMPLE_RATE
    windows = stamped_windows(lines, seconds) if stamped else [(0.0, seconds)] * len(lines)
    lead = [n for n, line in enumerate(lines) if heard.letters[n] and not line.backing]
    placed = place_lines(
        heard.evidence, [heard.letters[n] for n in lead], [windows[n] for n in lead]
    )
    places = {number: place for number, place in zip(lead, placed, strict=True) if place}

    def keep(number: int, place: Span, gap: Span) -> FoundLine:
        """The line at a place, if it fits the gap around it much better than other text does."""
        rng = generator(0, "surprise", song, number)
        pool = [letter for line in heard.letters for letter in line]
        fit = surprise(heard.evidence, heard.letters[number], gap, pool, heard.borders, rng)
        if fit < settings.surprise:
            return FoundLine([], "mismatch", surprise=fit)
        words = [(word, "lyrics") for word in split_words(lines[number].text, language)]
        span = _window(place, gap, heard.evidence.voiced)
        return judge(align_words(words, align, span), settings.line_score, surprise=fit)

    outcomes = []
    for number in range(len(lines)):
        if not heard.letters[number]:
            outcomes.append(FoundLine([], "no_words"))
        elif number in places:
            gap = _between(number, places, windows[number])
            outcomes.append(keep(number, places[number], gap))
        else:
            gap = _between(number, places, windows[number])
            words = len(split_words(lines[number].text, language))
            other = _voiced(gap, heard.evidence.voiced) > SUNG * words and not lines[number].backing
            outcomes.append(FoundLine([], "mismatch" if other else "not_sung"))
    # Lines that are sung beside or over others: backing vocals, and second voices with a stamp.
    for number, line in enumerate(lines):
        apart = line.backing or (stamped and line.start is not None)
        if not apart or number in places or not heard.letters[number]:
            continue
        gap = _between(number, places, windows[number])
        if stamped and line.start is not None:
            gap = max(0.0, line.start - ECHO), windows[number][1]
        (alone,) = place_lines(heard.evidence, [heard.letters[number]], [gap])
        if alone is not None:
            result = keep(number, alone, gap)
            outcomes[number] = result if result.kept else outcomes[number]
    return outcomes


def stamped_windows(lines: Sequence[Line], seconds: float) -> list[Span]:
    """Where each line may be sung by the stamps, which may be off by `AGREE` seconds. A line
    without a stamp is sung between its neighbours."""
    windows, latest = [], 0.0
    for number, line in enumerate(lines):
        latest = latest if line.start is None else line.start
        later = (other.start for other in lines[number + 1 :] if other.start is not None)
        end = next((start for start in later if start > latest), seconds)
        end = end if line.end is None or line.end <= latest else line.end
        windows.append((max(0.0, latest - AGREE), min(seconds, end + AGREE)))
    return windows


def _between(number, places, window):
    """The part of a window from the end of the line placed before to the start of the one after."""
    before = [end for other, (_, end) in places.items() if other < number]
    after = [start for other, (start, _) in places.items() if other > number]
    return max([window[0], *before]), min([window[1], *after])


def _voiced(gap, voiced):
    """Seconds with a voice in a gap."""
    first, last = (round(edge * SAMPLE_RATE / FRAME) for edge in gap)
    return voiced[first:last].sum() * FRAME / SAMPLE_RATE


def _window(place, gap, voiced):
    """The window of a line: to the end of the turn of the voice in which its last letter is."""
    rate = SAMPLE_RATE / FRAME
    last = round(place[1] * rate)
    silent = np.flatnonzero(~voiced[last : last + round(TAIL * rate)])
    end = place[1] + (silent[0] / rate if len(silent) else TAIL)
    return max(gap[0], place[0] - PAD), max(place[1], min(gap[1], end + PAD))
