"""Align the known lyrics of every song of a batch to its vocals."""

import json
import math
from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import align, corpus, layout, lyrics, recording, stems, thinned
from rasen.songs import ledger as ledgers
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.words import SAMPLE_RATE
from rasen.songs.alignment import no_lyrics, write_alignment
from rasen.songs.cublas import check_cublas
from rasen.songs.reasons import SongError

OF_WHISPER = ("whisper", "beam", "chunk", "certain", "line_match")  # settings that only it has


def align_lyrics(
    recordings: Path,
    stem_ledger: Path,
    songs: Path,
    settings: AlignSettings,
    device: str,
    threads: int,
    at_once: int,
    code: str,
    ledger: Path,
) -> None:
    """Write alignment.json of each song, and the ledger."""

    def open_tools():
        where = pick_device(device)
        check_cublas(where)
        return align.open_tools(settings, where, threads, at_once)

    def work(tools, song, folder):
        if not song.lyrics:
            raise SongError("no_lyrics", "the sheet names none")
        if song.lyrics == corpus.TRANSCRIBE and settings.whisper is None:
            raise SongError("no_lyrics", "to be transcribed, but `songs.align.whisper` is null")
        if song.lyrics == corpus.INSTRUMENTAL:
            write_alignment(folder / layout.ALIGNMENT, no_lyrics(song.song, song.seconds))
            return {"language": "", "lyrics": "none", "way": "none"}
        lines = None if song.lyrics == corpus.TRANSCRIBE else lyrics.read_lyrics(song.lyrics)
        sound, rate = stems.read_stem(songs / song.song, "vocals")
        vocals = recording.to_mono(sound, rate, SAMPLE_RATE)
        alignment = align.align_song(tools, vocals, lines, song.language or None, song=song.song)
        write_alignment(folder / layout.ALIGNMENT, alignment)
        kept = [line for line in alignment["lines"] if line["kept"]]
        recovered = [w for line in kept for w in line["words"] if w["source"] == "recovered"]
        return {
            "language": alignment["language"],
            "lyrics": alignment["lyrics"],
            "way": alignment["way"],
            "surprise": math.nan if alignment["surprise"] is None else alignment["surprise"],
            "match_ratio": alignment["match_ratio"],
            "score": alignment["score"],
            "lines": len(alignment["lines"]),
            "kept": len(kept),
            "recovered": len(recovered),
        }

    # Whisper counts for the songs that it is used for: those with LRC times do without it.
    whisper = hashes.hash_folder(settings.whisper) if settings.whisper else "none"
    used = asdict(settings) | {f: hashes.hash_folder(f) for f in settings.aligners.values()}
    for name in OF_WHISPER:
        whisper += json.dumps(used.pop(name))
    todo = ledgers.passed(songs, recordings, stem_ledger)
    todo["key"] += todo["language"] + todo["lyrics"].map(_lyrics_hash)
    todo["key"] += ["" if _has_times(file) else whisper for file in todo["lyrics"]]
    runner = ledgers.BatchRunner("align_lyrics", songs, code, used)
    sung = ~todo["lyrics"].isin(["", corpus.INSTRUMENTAL])
    thinned.check_present(songs, runner.pending(todo[sung])["song"])
    parquet.write_table(runner.run(todo, work, open_tools), ledger)


def _lyrics_hash(file):
    """What the alignment of a song depends on in its lyrics."""
    return file if file in corpus.WITHOUT_FILE else hashes.hash_if_present(file)


def _has_times(file):
    """Whether lyrics are LRC; what cannot be read has none, and its song is rejected."""
    if file in corpus.WITHOUT_FILE:
        return file == corpus.INSTRUMENTAL
    try:
        return not align.needs_whisper(lyrics.read_lyrics(file))
    except SongError:
        return False


if __name__ == "__main__":
    command.run(align_lyrics, out_of_memory="set a lower `songs.align.batch` or `songs.longest`")
