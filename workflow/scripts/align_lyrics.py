"""Align the known lyrics of every song of a batch to its vocals."""

from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import align, layout, lyrics, recording, stems
from rasen.songs import ledger as ledgers
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.words import SAMPLE_RATE
from rasen.songs.alignment import write_alignment
from rasen.songs.cublas import check_cublas
from rasen.songs.reasons import SongError


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
        lines = lyrics.read_lyrics(song.lyrics)
        sound, rate = stems.read_stem(songs / song.song, "vocals")
        vocals = recording.to_mono(sound, rate, SAMPLE_RATE)
        alignment = align.align_song(tools, vocals, lines, song.language or None, song=song.song)
        write_alignment(folder / layout.ALIGNMENT, alignment)
        kept = [line for line in alignment["lines"] if line["kept"]]
        recovered = [w for line in kept for w in line["words"] if w["source"] == "recovered"]
        return {
            "language": alignment["language"],
            "match_ratio": alignment["match_ratio"],
            "score": alignment["score"],
            "lines": len(alignment["lines"]),
            "kept": len(kept),
            "recovered": len(recovered),
        }

    weights = {
        folder: hashes.hash_folder(folder)
        for folder in (settings.whisper, *settings.aligners.values())
    }
    todo = ledgers.passed(songs, recordings, stem_ledger)
    todo["key"] += todo["language"] + todo["lyrics"].map(hashes.hash_if_present)
    runner = ledgers.BatchRunner("align_lyrics", songs, code, asdict(settings) | weights)
    parquet.write_table(runner.run(todo, work, open_tools), ledger)


if __name__ == "__main__":
    command.run(align_lyrics, out_of_memory="set a lower `songs.align.batch` or `songs.longest`")
