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

from rasen.songs.align.find import FoundLine, chunks_to_retry, find_lines
from rasen.songs.align.outcome import as_alignment
from rasen.songs.align.recognise import (
    Voice,
    find_voice,
    hear_voice,
    lines_of_words,
    transcribe_words,
)
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.sung import find_by_sound, hear
from rasen.songs.align.words import SAMPLE_RATE, Span, Word
from rasen.songs.alignment import Alignment
from rasen.songs.lyrics import UNSPACED, Line, split_words, written_language
from rasen.songs.reasons import SongError

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
    """The alignment of `lines` to `vocals` [time] at 16 kHz.

    lines: of `lyrics`, or None: Whisper's words are taken for them
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
        return find_by_sound(lines, language, heard(), align, settings, song, stamped)

    ways: dict[str, Callable[[], list[FoundLine]]] = {}
    if not needs_whisper(lines):
        ways["lrc"] = lambda: by_sound(stamped=True)
    if voice is not None and transcribed:
        segments = voice.segments
        ways["recognised"] = lambda: find_lines(
            lines, transcribed, segments, language, align, seconds, settings
        )
    ways["turns"] = lambda: by_sound(stamped=False)
    best: Alignment | None = None
    for way, find in ways.items():
        found = as_alignment(find(), lines, language, seconds, song, way)
        if best is None or _quality(found, settings) > _quality(best, settings):
            best = found
        if found["match_ratio"] >= settings.recognised and _fits(found, settings):
            break
    # Few lines were recognised, and the last way says that they do not fit the sound: then Whisper
    # has found words of the lyrics in the sound of others.
    assert best is not None, "there is always the last way"
    if best["match_ratio"] < settings.song_match or not _fits(found, settings):
        raise _rejection(tools, vocals, voice, transcribed, language, found)
    best["lyrics"] = "given" if given else "asr"
    return best


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

    return transcribe_words(tools.transcriber, vocals, voice, language, tools.batch, align, retry)


def _fits(alignment: Alignment, settings: AlignSettings) -> bool:
    """Whether the lines fit the sound better than any text does (`recognised`: not measured)."""
    return alignment["surprise"] is None or alignment["surprise"] >= settings.surprise


def _quality(alignment: Alignment, settings: AlignSettings) -> tuple[bool, float]:
    """By which one of two alignments of a song is the better one."""
    return _fits(alignment, settings), alignment["match_ratio"]


def _rejection(
    tools: Tools, vocals: np.ndarray, voice: Voice | None, transcribed: Sequence[Word],
    language: str, found: Alignment,
) -> SongError:  # fmt: skip
    """Why a song is rejected in which the lyrics were not found."""
    detail = f"{found['match_ratio']:.0%} of the words of the lyrics were found"
    if found["surprise"] is not None:
        detail += (
            f"; the lines fit the sound {found['surprise']:.1f} standard deviations better than any"
            f" text does; `songs.align.surprise` is {tools.settings.surprise:g}"
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
