"""Shards: the sketch, latents and phonemes of a batch of songs in one HDF5 file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.io import hdf5

LATENTS = 64  # channels; a stored row is their means, then their scales
KEPT = ("song", "artist", "language", "seconds")  # columns of a song that travel in its shard


def write_shard(path, songs, folder, **attributes):
    """One shard: sketch [frames] uint16, latents [frames, 2 * 64], and a table of its songs.

    songs: DataFrame with `song` and KEPT, in the order in which they lie in the file
    folder: where results/songs/{song}/ are
    """
    rows, total = [], 0
    with hdf5.create(path, **attributes) as writer:
        for song in songs.itertuples(index=False):
            home = Path(folder) / song.song
            sketch, latents = np.load(home / "sketch.npy"), np.load(home / "latents.npy")
            if len(sketch) != len(latents):
                raise RasenError(
                    f"{home}: {len(sketch)} sketch tokens and {len(latents)} latents; "
                    "delete the folder and run snakemake again"
                )
            if not rows:
                frames = writer.dataset("sketch", None, (), np.uint16)
                vectors = writer.dataset("latents", None, (2 * LATENTS,), latents.dtype)
            frames.append(sketch)
            vectors.append(latents)
            phonemes = json.loads((home / "phonemes.json").read_text(encoding="utf-8"))
            kept = {name: getattr(song, name) for name in KEPT}
            kept["language"] = phonemes["language"]  # found by listening where the sheet is silent
            phonemes = json.dumps(phonemes, ensure_ascii=False, separators=(",", ":"))
            rows.append({**kept, "offset": total, "frames": len(sketch), "phonemes": phonemes})
            total += len(sketch)
        if rows:
            writer.table("songs", pd.DataFrame(rows))


def shard_contents(path):
    """The table of a shard's songs, without phonemes; no rows where every song fell out."""
    columns = [*KEPT, "offset", "frames"]
    with hdf5.open_file(path) as file:
        if "songs" not in file:
            return pd.DataFrame(columns=columns)
        return hdf5.read_table(file, "songs")[columns]


class Shard:
    """An open shard: where each song lies by the shard's own table, since an index may be older."""

    def __init__(self, file):
        self.path = file.filename
        self.places = {}
        if "songs" in file:
            self.sketch, self.latents = file["sketch"], file["latents"]
            self.phonemes = file["songs/phonemes"]
            table = [file[f"songs/{column}"][:].tolist() for column in ("offset", "frames")]
            names = file["songs/song"].asstr()[:]
            self.places = {
                name: place for name, *place in zip(names, range(len(names)), *table, strict=True)
            }

    def find(self, song, frames):
        """(row in the table, first frame) of a song that has `frames` in the index."""
        row, offset, found = self.places.get(song, (None, None, 0))
        if found != frames:
            here = f"has {found} frames, {frames} in the index:" if found else "is not in it;"
            raise RasenError(
                f"{self.path}: song '{song}' {here} the index is older than its shards; "
                "run `snakemake songs`"
            )
        return row, offset
