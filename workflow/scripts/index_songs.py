"""The corpus as tables: songs for training, rejected songs, lines and words."""

from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.songs import layout
from rasen.songs.alignment import alignment_tables, read_alignment
from rasen.songs.index import IndexSettings, build_tables
from rasen.songs.ledger import passed
from rasen.songs.shards import shard_contents


def index_songs(
    batches: int, results: Path, settings: IndexSettings, seed: int,
    index: Path, quarantine: Path, lines: Path, words: Path,
) -> None:  # fmt: skip
    """Write the four tables of all batches in `results`."""
    stages = {
        stage: parquet.read_tables(layout.ledgers(results, stage, batches))
        for stage in layout.STAGES
    }
    contents = [
        shard_contents(path).assign(shard=path.stem) for path in layout.shards(results, batches)
    ]
    songs = results / layout.SONGS
    for stage in ("measure_recordings", "align_lyrics"):  # whose files are read below
        for path in layout.ledgers(results, stage, batches):
            passed(songs, path)
    measured = stages["measure_recordings"].query("outcome == 'ok'")["song"]
    prints = {song: np.load(songs / song / layout.FINGERPRINT) for song in measured}
    accepted, rejected = build_tables(
        stages, pd.concat(contents, ignore_index=True), prints, settings, seed
    )
    parquet.write_table(accepted, index)
    parquet.write_table(rejected, quarantine)
    aligned = [
        alignment_tables(read_alignment(songs / song / layout.ALIGNMENT))
        for song in accepted["song"]
    ]
    for part, path in enumerate((lines, words)):
        tables = [pair[part] for pair in aligned]
        parquet.write_table(pd.concat(tables) if tables else pd.DataFrame(), path)


if __name__ == "__main__":
    command.run(index_songs)
