"""Write a blind, shuffled sheet for listeners, the clips under neutral names, and apart the key."""

import csv
import io
from pathlib import Path

import pandas as pd
import soundfile

from rasen import command
from rasen.io import parquet
from rasen.io.atomic import write_text
from rasen.songs import recording
from rasen.songs.listening import COLUMNS, blind_clips

RATE = 44100  # of all clips: a system's own would give it away


def write_listening(ledgers: list[Path], seed: int, folder: Path, key: Path) -> None:
    """Write folder/sheet.tsv and the clips beside it, and the key (a sheet: clip, system, song).

    ledgers: of `read_scored`, for every sheet
    """
    table = pd.concat([parquet.read_table(path) for path in ledgers], ignore_index=True)
    clips = blind_clips(table[table["outcome"] == "ok"], seed)
    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips.itertuples(index=False):
        sound, rate = recording.reread_recording(clip.audio)
        stereo = recording.to_stereo(sound, rate, RATE).clip(-1, 1)
        soundfile.write(folder / f"{clip.clip}.flac", stereo.T, RATE, "PCM_16")
    sheet = [(clip, f"{clip}.flac", "", "") for clip in clips["clip"]]
    write_text(folder / "sheet.tsv", _as_text(COLUMNS, sheet))
    names = zip(clips["clip"], clips["system"], clips["name"], strict=True)
    write_text(key, _as_text(("clip", "system", "song"), sorted(names)))


def _as_text(header, rows):
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


if __name__ == "__main__":
    command.run(write_listening)
