"""The known lyrics, aligned to the vocals: transcribe, match, align line by line.

1. Voice activity detection finds the stretches with a voice, Whisper transcribes them, and forced
   alignment gives each transcribed word its times. Where lines of the lyrics are missing in a gap,
   the gap is transcribed again.
2. The lyrics are matched to the transcribed words (`match`). A line that is not found is dropped;
   transcribed words inside a line that the lyrics lack are recovered (`recover`).
3. Each line is aligned again, alone in its own window (`windows`), which refines its times.

A line is kept only when its words are in the transcript *and* their scores are high enough: scores
alone do not detect wrong words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rasen.songs.align.find import (
    FoundLine,
    chunks_to_retry,
    find_lines,
    mean_score,
    plausible_words,
)
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.windows import sort_and_trim
from rasen.songs.align.words import SAMPLE_RATE, Chunk, Span, Word
from rasen.songs.alignment import AlignedLine, Alignment
from rasen.songs.lyrics import Line, split_words
from rasen.songs.reasons import SongError

IMPROBABLE = -1.0  # mean log probability below which a transcript is taken for invented
SINGABLE = 12  # words, or characters, per second of the whole song: no song has more


@dataclass(frozen=True)
class Tools:
    """The opened models, which are kept from song to song.

    transcriber, aligner: `Transcriber` and `Aligner`, or what has their methods
    batch: chunks that are transcribed at once
    """

    transcriber: Any
    aligner: Any
    settings: AlignSettings
    batch: int = 1


def open_tools(
    settings: AlignSettings, device: str = "cpu", threads: int = 1, batch: int = 1
) -> Tools:
    """Open the models. Aligners are opened when a song needs them.

    threads: of Whisper on a CPU;  batch: chunks that are transcribed at once
    """
    from rasen.songs.align.aligner import Aligner
    from rasen.songs.align.transcriber import Transcriber

    aligner = Aligner(settings.aligners, device)
    transcriber = Transcriber(
        settings.whisper,
        device,
        onset=settings.onset,
        offset=settings.offset,
        chunk=settings.chunk,
        beam=settings.beam,
        threads=threads,
    )
    return Tools(transcriber, aligner, settings, batch)


def align_song(
    tools: Tools,
    vocals: np.ndarray,
    lines: Sequence[Line],
    language: str | None = None,
    song: str = "",
) -> Alignment:
    """The alignment of `lines` (of `lyrics`) to `vocals` [time] at 16 kHz.

    language: as the sheet says, or None to detect it with Whisper (English where it knows no other)
    Raises `SongError` where the song is rejected.
    """
    settings = tools.settings
    vocals = np.asarray(vocals, dtype=np.float32)
    if not any(split_words(line.text, language or "zh") for line in lines):
        raise SongError("no_lyrics", "the lyrics hold no words")
    chunks = tools.transcriber.detect_voice(vocals)
    segments = sorted(segment for chunk in chunks for segment in chunk.segments)
    voiced = sum(end - start for start, end in segments)
    if voiced < settings.voiced:
        detail = f"{voiced:.1f} s of voice; `songs.align.voiced` is {settings.voiced}"
        raise SongError("no_vocals", detail)
    probabilities = tools.transcriber.detect_languages(vocals, chunks)
    likely = max(probabilities, key=probabilities.get, default="en")
    language = language or likely
    probability = probabilities.get(likely, 0.0)
    if likely != language and probability >= settings.certain:
        detail = f"with {probability:.0%} certainty it is {likely}"
        raise SongError("wrong_language", f"{detail}; `songs.align.certain` is {settings.certain}")
    if language not in tools.aligner.folders:
        raise SongError("wrong_language", f"sung in {language}, for which no aligner is given")
    seconds = len(vocals) / SAMPLE_RATE
    count = sum(len(split_words(line.text, language)) for line in lines)
    if count > SINGABLE * seconds:  # matching needs tables of lyric words by transcribed words
        detail = f"{count} words in {seconds:.1f} s; no song has more than {SINGABLE} per second"
        raise SongError("lyrics_mismatch", detail)

    def align(words: Sequence[str], span: Span) -> list[Word]:
        return tools.aligner.align(vocals, words, language, *span)

    def transcribe(chunks: Sequence[Chunk]) -> list[list[Word]]:
        """The words of each transcript, with times."""
        transcripts = tools.transcriber.transcribe(vocals, chunks, language, tools.batch)
        return [
            align(split_words(transcript.text, language), (transcript.start, transcript.end))
            for transcript in transcripts
            if transcript.log_probability >= IMPROBABLE
        ]

    passages = transcribe(chunks)
    transcribed = sort_and_trim(plausible_words(passages), segments)
    if not transcribed:
        raise SongError("no_vocals", "there is a voice, but no words")
    retry = chunks_to_retry(lines, transcribed, language, seconds, settings)
    if retry:
        transcribed = sort_and_trim(plausible_words(passages + transcribe(retry)), segments)
    outcomes = find_lines(lines, transcribed, segments, language, align, seconds, settings)
    alignment = _as_alignment(outcomes, lines, language, seconds, song)
    ratio = alignment["match_ratio"]
    if ratio < settings.song_match:
        detail = f"{ratio:.0%} of the words of the lyrics were found"
        if probability > 0.5 and likely != language:
            raise SongError("wrong_language", f"{detail}; it may be {likely}")
        raise SongError("lyrics_mismatch", detail)
    return alignment


def _as_alignment(
    outcomes: Sequence[FoundLine], lines: Sequence[Line], language: str, seconds: float, song: str
) -> Alignment:
    """The alignment of the song, as it is written."""
    aligned: list[AlignedLine] = []
    total, hits, scores = 0, 0.0, []
    for number, (line, result) in enumerate(zip(lines, outcomes, strict=True)):
        words = result.words
        aligned.append(
            {
                "line": number,
                "text": line.text,
                "paragraph": line.paragraph,
                "section": line.section,
                "kept": result.kept,
                "reason": result.reason,
                "start": words[0]["start"] if words else None,
                "end": words[-1]["end"] if words else None,
                "score": round(mean_score(words), 3) if words else None,
                "match": round(result.match, 3) if words else None,
                "words": words,
            }
        )
        length = len(split_words(line.text, language))
        total += length
        # A kept line without a transcribed word was found by aligning it to the sound itself.
        hits += (result.match or 1.0) * length if result.kept else 0.0
        scores += [word["score"] for word in words]
    return {
        "song": song,
        "language": language,
        "seconds": round(seconds, 3),
        "match_ratio": round(hits / max(1, total), 3),
        "score": round(float(np.mean(scores)), 3) if scores else 0.0,
        "lines": aligned,
    }
