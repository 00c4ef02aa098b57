"""Find the known lyrics of every song of a batch in its vocals."""

import json
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import align, lyrics, recording, stems
from rasen.songs import ledger as ledgers
from rasen.songs.reasons import SongError

MEASURES = ("language", "match_ratio", "score")


def align_lyrics(
    recordings: Path,
    stem_ledger: Path,
    songs: Path,
    settings: dict,
    device: str,
    threads: int,
    at_once: int,
    code: str,
    ledger: Path,
):
    """Write alignment.json of each song, and the ledger."""

    def open_tools():
        of_machine = {"threads": threads, "batch": at_once}
        return align.open_tools(settings | of_machine, pick_device(device))

    def work(tools, song, folder):
        if not song.lyrics:
            raise SongError("no_lyrics", "the sheet names none")
        lines = lyrics.read_lyrics(song.lyrics)
        vocals = recording.mono(*stems.read_stem(songs / song.song, "vocals"), align.RATE)
        found = align.align_song(tools, vocals, lines, song.language or None, song=song.song)
        text = json.dumps(found, ensure_ascii=False, indent=1)
        (folder / "alignment.json").write_text(text + "\n", encoding="utf-8")
        kept = [line for line in found["lines"] if line["kept"]]
        recovered = [w for line in kept for w in line["words"] if w["source"] == "recovered"]
        counts = {"lines": len(found["lines"]), "kept": len(kept), "recovered": len(recovered)}
        return {key: found[key] for key in MEASURES} | counts

    weights = {
        folder: hashes.hash_folder(folder)
        for folder in (settings["whisper"], *settings["aligners"].values())
    }
    todo = ledgers.passed(songs, recordings, stem_ledger)
    todo["key"] += todo["language"] + todo["lyrics"].map(hashes.hash_if_present)
    stage = ledgers.BatchRunner("align_lyrics", songs, code, settings | weights)
    parquet.write_table(stage.run(todo, work, open_tools), ledger)


if __name__ == "__main__":
    command.run(align_lyrics)
