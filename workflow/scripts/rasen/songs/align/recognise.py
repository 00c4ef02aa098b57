"""What is sung, as Whisper hears it: voice, language, words with times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rasen.songs.align.find import plausible_words
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.windows import sort_and_trim
from rasen.songs.align.words import Chunk, Span, Word
from rasen.songs.lyrics import Line, split_words
from rasen.songs.reasons import SongError

IMPROBABLE = -1.0  # mean log probability below which a transcript is taken for invented
PAUSE, LONGEST = 0.6, 10  # seconds between two lines of a transcript; words of a line, at most


@dataclass(frozen=True)
class Voice:
    """Where there is a voice, and in which language it probably sings.

    chunks: for Whisper;  segments: of voice activity;  likely: language, and its probability
    """

    chunks: list[Chunk]
    segments: list[Span]
    likely: tuple[str, float]


def find_voice(transcriber: Any, vocals: np.ndarray, least: float) -> list[Chunk]:
    """Chunks with a voice in `vocals` [time]; below `least` seconds of it a song is rejected."""
    chunks: list[Chunk] = transcriber.detect_voice(vocals)
    voiced = sum(end - start for chunk in chunks for start, end in chunk.segments)
    if voiced < least:
        detail = f"{voiced:.1f} s of voice; `songs.align.voiced` is {least}"
        raise SongError("no_vocals", detail)
    return chunks


def hear_voice(
    transcriber: Any, vocals: np.ndarray, language: str | None, settings: AlignSettings
) -> Voice:
    """The voice in a song; it is rejected where there is none, or surely another language."""
    chunks = find_voice(transcriber, vocals, settings.voiced)
    probabilities = transcriber.detect_languages(vocals, chunks)
    likely = max(probabilities, key=probabilities.get, default="en")
    probability = probabilities.get(likely, 0.0)
    if language not in (None, likely) and probability >= settings.certain:
        detail = f"with {probability:.0%} certainty it is {likely}"
        raise SongError("wrong_language", f"{detail}; `songs.align.certain` is {settings.certain}")
    segments = sorted(segment for chunk in chunks for segment in chunk.segments)
    return Voice(chunks, segments, (likely, probability))


def transcribe_words(
    transcriber: Any,
    vocals: np.ndarray,
    voice: Voice,
    language: str,
    batch: int,
    align: Callable[[Sequence[str], Span], list[Word]],
    retry: Callable[[list[Word]], list[Chunk]],
) -> list[Word]:
    """Whisper's words in order of time. retry: chunks to transcribe again, given the words"""

    def transcribe(chunks: Sequence[Chunk]) -> list[list[Word]]:
        return [
            align(split_words(transcript.text, language), (transcript.start, transcript.end))
            for transcript in transcriber.transcribe(vocals, chunks, language, batch)
            if transcript.log_probability >= IMPROBABLE
        ]

    passages = transcribe(voice.chunks)
    words = sort_and_trim(plausible_words(passages), voice.segments)
    if words and (again := retry(words)):
        words = sort_and_trim(plausible_words(passages + transcribe(again)), voice.segments)
    return words


def lines_of_words(words: Sequence[Word], space: str) -> list[Line]:
    """Transcribed words as lines of lyrics: parted by pauses, and none too long."""
    rows: list[list[Word]] = []
    for word in words:
        if rows and word.start - rows[-1][-1].end < PAUSE and len(rows[-1]) < LONGEST:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [Line(space.join(word.text for word in row), 0) for row in rows]
