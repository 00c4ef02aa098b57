"""Each line of the lyrics: matched to the transcript, aligned in its window, kept or dropped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rasen.songs.align import windows
from rasen.songs.align.match import match_words
from rasen.songs.align.recover import recovered_words
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.words import Chunk, Span, Word
from rasen.songs.alignment import AlignedWord
from rasen.songs.lyrics import Line, normalised_words, split_words

WIDENED = (0.0, 0.027, 0.053)  # seconds: windows a third of a frame (20 ms) apart, and some more

AS_GOOD = 0.97  # share of a line's score that a change must reach to be accepted
SHORTEST = 1.0  # seconds in which a line can be sung
PLAUSIBLE = 0.7  # share of the song's median score from which words are accepted,
UNTRANSCRIBED = 0.85  # and from which a line is accepted that the transcript lacks

Align = Callable[[Sequence[str], Span], list[Word]]  # words sung in a window: their times


@dataclass(frozen=True)
class FoundLine:
    """The outcome of a line. match: share of its words in the transcript.

    reason: why the line was dropped, and then it has no words; None of a kept line
    surprise: by how many standard deviations it fits its place better than other text
    """

    words: list[AlignedWord]
    reason: str | None
    match: float = 0.0
    surprise: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the line is part of the alignment."""
        return self.reason is None


def find_lines(
    lines: Sequence[Line],
    transcribed: Sequence[Word],
    segments: Sequence[Span],
    language: str,
    align: Align,
    seconds: float,
    settings: AlignSettings,
) -> list[FoundLine]:
    """The outcome of each line.

    transcribed: words in order of time;  segments: voice activity segments
    align: gives the times of words in a window;  seconds: length of the song
    """
    texts = [split_words(line.text, language) for line in lines]
    matches, ratios = _match_lines(lines, transcribed, language, settings.line_match)
    recovered = recovered_words(matches, transcribed)
    assigned = np.zeros(len(transcribed), dtype=bool)  # transcribed words that belong to a line
    for indices, more in zip(matches, recovered, strict=True):
        assigned[[*indices[indices >= 0], *_flat(more)]] = True

    def align_line(number: int, span: Span, more: Mapping[int, Sequence[int]]) -> list[AlignedWord]:
        return _align_line(align, texts[number], more, transcribed, span)

    outcomes: list[FoundLine] = []
    for number, (indices, more) in enumerate(zip(matches, recovered, strict=True)):
        if not texts[number]:
            result = FoundLine([], "no_words")
        elif (indices >= 0).any():
            span = windows.line_window(
                indices, _flat(more), assigned, transcribed, segments, seconds
            )
            result = judge(align_line(number, span, more), settings.line_score)
        else:
            result = FoundLine([], _reason_missing(number, matches, transcribed))
        outcomes.append(replace(result, match=ratios[number]))
    # How high scores are depends on the model and on the voice, so lines are compared with the
    # song's median. Words that Whisper invented from a neighbouring line are rejected here.
    median = np.median([mean_score(line.words) for line in outcomes if line.kept] or [1.0])
    outcomes = [
        judge(line.words, PLAUSIBLE * median, match=line.match) if line.kept else line
        for line in outcomes
    ]
    # A line that the transcript may lack: a single one between two kept ones, where there is a
    # voice without words. Only the score can confirm it, so it must be aligned about as well.
    for number in range(len(outcomes)):
        gap = _gap(number, outcomes, seconds) if outcomes[number].reason == "not_sung" else None
        if gap is not None:
            voiced = windows.longest_voiced_stretch(gap, segments, len(texts[number]))
            if voiced is not None:
                words = align_line(number, voiced, {})
                lowest, match = UNTRANSCRIBED * median, outcomes[number].match
                outcomes[number] = judge(words, lowest, "not_sung", match)
    return outcomes


def _gap(number: int, outcomes: Sequence[FoundLine], seconds: float) -> Span | None:
    """(end, start) of the kept lines around a line; None where its neighbours are missing too."""
    before, after = outcomes[:number], outcomes[number + 1 :]
    if any(not line.kept for line in (*before[-1:], *after[:1])):
        return None
    end = before[-1].words[-1]["end"] if before else 0.0
    return end, after[0].words[0]["start"] if after else seconds


def plausible_words(passages: Sequence[Sequence[Word]]) -> list[Word]:
    """The words of the passages whose scores are not far below the median: in noise, Whisper
    invents words. passages: the words of each transcript"""
    scores = [word.score for passage in passages for word in passage]
    lowest = PLAUSIBLE * np.median(scores or [0.0])
    return [
        word
        for passage in passages
        if passage and np.mean([word.score for word in passage]) >= lowest
        for word in passage
    ]


def chunks_to_retry(
    lines: Sequence[Line],
    transcribed: Sequence[Word],
    language: str,
    seconds: float,
    settings: AlignSettings,
) -> list[Chunk]:
    """Chunks to transcribe again: gaps in which lines are missing (voice detection has misses)."""
    matches, _ = _match_lines(lines, transcribed, language, settings.line_match)
    spans = set()
    for number, indices in enumerate(matches):
        missing = len(indices) and (indices < 0).all()
        if missing and _reason_missing(number, matches, transcribed) == "not_sung":
            left, right = _neighbours(number, matches, transcribed)
            start = transcribed[left].end if left >= 0 else 0.0
            end = transcribed[right].start if right < len(transcribed) else seconds
            spans.add((start, end))
    return [
        Chunk(begin, min(begin + settings.chunk, end))
        for start, end in sorted(spans)
        for begin in np.arange(start, end - SHORTEST, settings.chunk)
    ]


def _match_lines(lines, transcribed, language, line_match):
    """For each line, the index of the transcribed word matched to each of its words (all -1 where
    the line is not found), and the share of its words that were transcribed."""
    units = [normalised_words(line.text, language) for line in lines]
    matched = match_words(units, [normalised_words(word.text, language)[0] for word in transcribed])
    matches, ratios = [], []
    for indices, same in zip(matched.indices, matched.same, strict=True):
        indices = windows.drop_outliers(indices, transcribed)
        ratio = float((same & (indices >= 0)).mean()) if len(indices) else 0.0
        matches.append(indices if ratio >= line_match else np.full(len(indices), -1))
        ratios.append(ratio)
    return matches, ratios


def _flat(recovered):
    """All indices of a line's recovered words."""
    return [index for indices in recovered.values() for index in indices]


def _align_line(align, text, recovered, transcribed, span):
    """The words of a line, aligned in its window. Recovered words are kept when the line is
    aligned about as well with them."""
    lyric_words = [(word, "lyrics") for word in text]
    best = align_words(lyric_words, align, span)
    if recovered:
        with_recovered = []
        for place in range(len(text) + 1):
            with_recovered += [
                (transcribed[index].text, "recovered") for index in recovered.get(place, [])
            ]
            with_recovered += lyric_words[place : place + 1]
        best = _first_if_as_good(align_words(with_recovered, align, span), best)
    return best


def _first_if_as_good(first, second):
    """`first`, unless its score is clearly below that of `second`."""
    return first if mean_score(first) >= AS_GOOD * mean_score(second) else second


def align_words(words: Sequence[tuple[str, str]], align: Align, span: Span) -> list[AlignedWord]:
    """(word, source) pairs with times: medians over slightly different windows. One window alone
    is off by up to half a frame of the aligner, and sometimes by much more."""
    texts = [word for word, _ in words]
    start, end = span
    runs = [run for extra in WIDENED if (run := align(texts, (start - extra, end + extra)))]
    if not runs:
        return []
    numbers = [[(word.start, word.end, word.score) for word in run] for run in runs]
    medians = np.median(numbers, axis=0).round(3).tolist()
    return [
        {"word": word, "start": start, "end": end, "score": score, "source": source}
        for (word, source), (start, end, score) in zip(words, medians, strict=True)
    ]


def mean_score(words: Sequence[AlignedWord]) -> float:
    """Mean score of a line's words; 0 where there are none."""
    return float(np.mean([word["score"] for word in words])) if words else 0.0


def judge(
    words: list[AlignedWord],
    lowest: float,
    reason: str = "low_score",
    match: float = 0.0,
    surprise: float | None = None,
) -> FoundLine:
    """A line that is kept when it could be aligned, with a mean score from `lowest`."""
    if not words:
        return FoundLine([], "no_window", match, surprise)
    if mean_score(words) < lowest:
        return FoundLine([], reason, match, surprise)
    return FoundLine(words, None, match, surprise)


def _reason_missing(number, matches, transcribed):
    """`mismatch` where other words were transcribed in the place of a line, else `not_sung`."""
    left, right = _neighbours(number, matches, transcribed)
    other_words = right - left - 1
    return "mismatch" if other_words >= max(1, len(matches[number]) / 2) else "not_sung"


def _neighbours(number, matches, transcribed):
    """Indices of the transcribed words of the nearest lines before and after a line."""
    before = [indices.max() for indices in matches[:number] if (indices >= 0).any()]
    after = [
        indices[indices >= 0].min() for indices in matches[number + 1 :] if (indices >= 0).any()
    ]
    return max(before, default=-1), min(after, default=len(transcribed))
