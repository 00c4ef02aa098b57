"""Measure the waveforms of the songs of a batch, to be drawn."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.songs.ledger import passed
from rasen.songs.peaks import RATE, peaks_of_song

COLUMNS = ["song", "audio", "seconds", "columns_s", "mix", "vocals", "accompaniment"]
COLUMNS += ["vocals_file", "accompaniment_file"]


def measure_peaks(recordings: Path, songs: Path, peaks: Path) -> None:
    """One row per recording that can be read, whether its song is rejected later or not."""
    rows = [
        {"song": song.song, "audio": song.audio, "seconds": song.seconds, "columns_s": RATE}
        | peaks_of_song(song.audio, songs / song.song)
        for song in passed(songs, recordings).itertuples(index=False)
    ]
    parquet.write_table(pd.DataFrame(rows, columns=COLUMNS), peaks)


if __name__ == "__main__":
    command.run(measure_peaks)
