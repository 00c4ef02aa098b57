"""The corpus as tables: songs for training, those that fell out, their lines and words."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command, tables
from rasen.songs import align, corpus, ledger, shards
from rasen.songs import index as indexing


def index_songs(
    batches: int, results: Path, settings: dict, seed: int,
    index: Path, quarantine: Path, lines: Path, words: Path,
):  # fmt: skip
    """Write the four tables of the batches 00000, 00001, ... in `results`."""
    names = [f"{batch:05d}" for batch in range(batches)]
    stages = {
        stage: tables.gather(results / f"batches/{stage}/{name}.parquet" for name in names)
        for stage in corpus.STAGES
    }
    contents = [shards.contents(results / f"shards/{name}.h5").assign(shard=name) for name in names]
    songs = results / "songs"
    for stage in ("measure_recordings", "align_lyrics"):  # whose files are read below
        for name in names:
            ledger.survivors(songs, results / f"batches/{stage}/{name}.parquet")
    heard = stages["measure_recordings"].query("outcome == 'ok'")["song"]
    prints = {song: np.load(songs / song / "fingerprint.npy") for song in heard}
    kept, fallen = indexing.build(
        stages, pd.concat(contents, ignore_index=True), prints,
        settings["filters"], settings["splits"], seed,
    )  # fmt: skip
    tables.write(kept, index)
    tables.write(fallen, quarantine)
    aligned = [
        align.table(json.loads((songs / song / "alignment.json").read_text(encoding="utf-8")))
        for song in kept["song"]
    ]
    for part, path in enumerate((lines, words)):
        tables.write(pd.concat([a[part] for a in aligned]) if aligned else pd.DataFrame(), path)


if __name__ == "__main__":
    command.run(index_songs)
