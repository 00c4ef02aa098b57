"""The corpus as tables: songs for training, those that fell out, their lines and words."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.songs import align, layout
from rasen.songs import index as indexing
from rasen.songs.ledger import passed
from rasen.songs.shards import shard_contents


def index_songs(
    batches: int, results: Path, settings: dict, seed: int,
    index: Path, quarantine: Path, lines: Path, words: Path,
):  # fmt: skip
    """Write the four tables of the batches 00000, 00001, ... in `results`."""
    stages = {
        stage: parquet.read_tables(layout.ledgers(results, stage, batches))
        for stage in layout.STAGES
    }
    contents = [
        shard_contents(path).assign(shard=path.stem) for path in layout.shards(results, batches)
    ]
    songs = results / "songs"
    for stage in ("measure_recordings", "align_lyrics"):  # whose files are read below
        for path in layout.ledgers(results, stage, batches):
            passed(songs, path)
    heard = stages["measure_recordings"].query("outcome == 'ok'")["song"]
    prints = {song: np.load(songs / song / "fingerprint.npy") for song in heard}
    kept, fallen = indexing.build(
        stages, pd.concat(contents, ignore_index=True), prints,
        settings["filters"], settings["splits"], seed,
    )  # fmt: skip
    parquet.write_table(kept, index)
    parquet.write_table(fallen, quarantine)
    aligned = [
        align.table(json.loads((songs / song / "alignment.json").read_text(encoding="utf-8")))
        for song in kept["song"]
    ]
    for part, path in enumerate((lines, words)):
        parquet.write_table(
            pd.concat([a[part] for a in aligned]) if aligned else pd.DataFrame(), path
        )


if __name__ == "__main__":
    command.run(index_songs)
