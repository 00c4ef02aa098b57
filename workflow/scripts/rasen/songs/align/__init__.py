"""The known lyrics, aligned to the vocals: found in one of three ways, then aligned line by line.

`lrc`: each line has a time, so it is sought there, in the sound itself (`sung`). No Whisper.
`recognised`: Whisper transcribes the voice, forced alignment gives each transcribed word its times,
    and the lyrics are matched to these words (`match`). Where lines are missing in a gap, it is
    transcribed again. Transcribed words that a line lacks are recovered (`recover`).
`turns`: all lines are placed, in order, among the turns of the voice (`sung`). No Whisper.

The first is taken where the lyrics have times, else the second where there is a Whisper; the third
where these find few words. A line is then aligned again, alone in its own window, which refines its
times. Lines that are not found are dropped. A song is rejected when none of the ways finds it:
when neither the transcript nor the sound holds its lyrics.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rasen.songs.align.find import FoundLine, chunks_to_retry, find_lines, mean_score
from rasen.songs.align.recognise import (
    Voice,
    find_voice,
    hear_voice,
    lines_of_words,
    transcribe_words,
)
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.sung import SURPRISE, find_by_sound, hear
from rasen.songs.align.words import SAMPLE_RATE, Span, Word
from rasen.songs.alignment import AlignedLine, Alignment
from rasen.songs.lyrics import UNSPACED, Line, split_words, written_language
from rasen.songs.reasons import SongError

SINGABLE = 12  # words, or characters, per second of the whole song: no song has more
OVERLAP = 0.05  # seconds that two lines have in common before they overlap


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
    """The models, each of which is opened when a song needs it.

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


def needs_whisper(lines: Sequence[Line] | None) -> bool:
    """Whether a song's lyrics (None: to be transcribed) are found with Whisper: without times."""
    return lines is None or all(line.start is None for line in lines)


def align_song(
    tools: Tools,
    vocals: np.ndarray,
    lines: Sequence[Line] | None,
    language: str | None = None,
    song: str = "",
) -> Alignment:
    """The alignment of `lines` (of `lyrics`; None: what Whisper hears) to `vocals` [time] at 16 kHz.

    language: as the sheet says, or None: by Whisper, or the lyrics' script where it is not used
    Raises `SongError` where the song is rejected.
    """
    settings = tools.settings
    vocals = np.asarray(vocals, dtype=np.float32)
    seconds = len(vocals) / SAMPLE_RATE
    if lines is not None and not any(split_words(li.text, language or "zh") for li in lines):
        raise SongError("no_lyrics", "the lyrics hold no words")
    voice = None
    if settings.whisper is not None and needs_whisper(lines):
        voice = hear_voice(tools.transcriber, vocals, language, settings)
    language = language or (voice.likely[0] if voice else written_language(lines or []))
    if language not in tools.aligner.folders:
        raise SongError("wrong_language", f"sung in {language}, for which no aligner is given")
    _check_length(lines or [], language, seconds)
    given = lines is not None
    transcribed: list[Word] = []
    if voice is not None:
        transcribed = _transcribe(tools, vocals, voice, lines, language)
        if lines is None:
            lines = lines_of_words(transcribed, "" if language in UNSPACED else " ")
    if not lines:
        raise SongError("no_vocals" if voice else "no_lyrics", "nothing could be transcribed")

    def align(words: Sequence[str], span: Span) -> list[Word]:
        return tools.aligner.align(vocals, words, language, *span)

    @cache
    def heard():
        return hear(tools.aligner, vocals, lines, language)

    def by_sound(stamped: bool) -> list[FoundLine]:
        least = settings.line_score
        return find_by_sound(lines, language, heard(), align, least, song, stamped)

    ways: dict[str, Callable[[], list[FoundLine]]] = {}
    if not needs_whisper(lines):
        ways["lrc"] = lambda: by_sound(stamped=True)
    if transcribed:
        ways["recognised"] = lambda: find_lines(
            lines, transcribed, voice.segments, language, align, seconds, settings
        )
    ways["turns"] = lambda: by_sound(stamped=False)
    best = None
    for way, find in ways.items():
        found = _as_alignment(find(), lines, language, seconds, song, way)
        if best is None or found["match_ratio"] > best["match_ratio"]:
            best = found
        if found["match_ratio"] >= settings.recognised and _fits(found):
            break
    # Few lines were recognised, and the last way says that they do not fit the sound: then Whisper
    # has found words of the lyrics in the sound of others.
    if best["match_ratio"] < settings.song_match or not _fits(found):
        raise _rejection(tools, vocals, voice, transcribed, language, found)
    return best | {"lyrics": "given" if given else "asr"}


def _check_length(lines, language, seconds):
    """Refuse what would need tables of far too many words."""
    count = sum(len(split_words(line.text, language)) for line in lines)
    if count > SINGABLE * seconds:
        detail = f"{count} words in {seconds:.1f} s; no song has more than {SINGABLE} per second"
        raise SongError("lyrics_mismatch", detail)


def _transcribe(tools, vocals, voice, lines, language):
    """Whisper's words; gaps in which lines are missing are transcribed twice."""
    seconds = len(vocals) / SAMPLE_RATE

    def align(words, span):
        return tools.aligner.align(vocals, words, language, *span)

    def retry(words):
        return chunks_to_retry(lines or [], words, language, seconds, tools.settings)

    return transcribe_words(
        tools.transcriber, vocals, voice, language, tools.batch, align, retry
    )


def _fits(alignment: Alignment) -> bool:
    """Whether the lines fit the sound better than any text does (`recognised`: not measured)."""
    return alignment["surprise"] is None or alignment["surprise"] >= SURPRISE


def _rejection(
    tools: Tools, vocals: np.ndarray, voice: Voice | None, transcribed: Sequence[Word],
    language: str, found: Alignment,
) -> SongError:  # fmt: skip
    """Why a song is rejected in which the lyrics were not found."""
    detail = f"{found['match_ratio']:.0%} of the words of the lyrics were found"
    if found["surprise"] is not None:
        detail += (
            f"; the lines fit the sound {found['surprise']:.1f} standard deviations better than any"
            f" text does ({SURPRISE:g} are asked for)"
        )
    if voice is None:
        try:
            find_voice(tools.transcriber, vocals, tools.settings.voiced)
        except SongError as error:
            return error
    elif not transcribed:
        return SongError("no_vocals", f"there is a voice, but no words; {detail}")
    elif voice.likely[1] > 0.5 and voice.likely[0] != language:
        return SongError("wrong_language", f"{detail}; it may be {voice.likely[0]}")
    return SongError("lyrics_mismatch", detail)


def _as_alignment(
    outcomes: Sequence[FoundLine],
    lines: Sequence[Line],
    language: str,
    seconds: float,
    song: str,
    way: str,
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
                "backing": line.backing,
                "overlaps": False,
                "kept": result.kept,
                "reason": result.reason,
                "start": words[0]["start"] if words else None,
                "end": words[-1]["end"] if words else None,
                "score": round(mean_score(words), 3) if words else None,
                "match": round(result.match, 3) if words else None,
                "surprise": None if result.surprise is None else round(result.surprise, 1),
                "words": words,
            }
        )
        if line.backing:
            continue
        length = len(split_words(line.text, language))
        total += length
        # A kept line without a transcribed word was found by aligning it to the sound itself.
        hits += (result.match or 1.0) * length if result.kept else 0.0
        scores += [word["score"] for word in words]
    _mark_overlaps(aligned)
    lead = [line["surprise"] or 0.0 for line in aligned if not line["backing"]]
    return {
        "song": song,
        "language": language,
        "lyrics": "given",
        "way": way,
        "surprise": None if way == "recognised" else round(float(np.median(lead or [0.0])), 1),
        "seconds": round(seconds, 3),
        "match_ratio": round(hits / max(1, total), 3),
        "score": round(float(np.mean(scores)), 3) if scores else 0.0,
        "lines": aligned,
    }


def _mark_overlaps(lines: Sequence[AlignedLine]) -> None:
    """Mark the kept lines that are sung while another one is."""
    kept = sorted((line for line in lines if line["kept"]), key=lambda line: line["start"])
    latest: AlignedLine | None = None  # the one of the lines so far that ends last
    for line in kept:
        if latest is not None and latest["end"] - line["start"] > OVERLAP:
            latest["overlaps"] = line["overlaps"] = True
        if latest is None or line["end"] > latest["end"]:
            latest = line
