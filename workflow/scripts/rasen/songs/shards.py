"""Shards: the sketch, latents and phonemes of a batch of songs in one HDF5 file."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.io import hashes, hdf5
from rasen.networks.frames import LATENT_CHANNELS
from rasen.songs import layout

COLUMNS = ("song", "artist", "language", "license", "seconds")  # of a song, that its shard has too
VOCABULARY = ("inventory", "vocabulary")  # of its phonemes


def write_shard(
    path: Path | str,
    songs: pd.DataFrame,
    folder: Path | str,
    mono: bool = False,
    **attributes: Any,
) -> None:
    """One shard: sketch [frames] uint16, latents [frames, 2 * 64], and a table of its songs.

    A row of latents holds 64 means, then 64 scales. A song's `checksum` is of all that the shard
    holds of it.
    songs: DataFrame with COLUMNS, in the order that they have in the file
    folder: of the songs' folders
    mono: whether the songs have latents of their mono mix, too; they are the dataset `mono`
    """
    rows: list[dict[str, Any]] = []
    total = 0
    with hdf5.create(path, **attributes) as writer:
        for song in songs.itertuples(index=False):
            home = Path(folder) / song.song
            arrays = {"sketch": np.load(home / layout.SKETCH)}
            arrays["latents"] = np.load(home / layout.LATENTS)
            if mono:
                arrays["mono"] = np.load(home / layout.MONO)
            frames = len(arrays["sketch"])
            for latents in list(arrays.values())[1:]:
                if len(latents) != frames:
                    raise RasenError(
                        f"{home}: {frames} sketch tokens and {len(latents)} latents; "
                        "delete the folder and run snakemake again"
                    )
            if not rows:
                width = (2 * LATENT_CHANNELS,)
                for name, values in arrays.items():
                    writer.dataset(name, None, () if name == "sketch" else width, values.dtype)
            for name, values in arrays.items():
                writer.rows[name].append(values)
            phonemes = json.loads((home / layout.PHONEMES).read_text(encoding="utf-8"))
            row = {name: getattr(song, name) for name in COLUMNS}
            row["language"] = phonemes["language"]  # detected where the sheet has none
            row |= {name: phonemes[name] for name in VOCABULARY}
            text = json.dumps(phonemes, ensure_ascii=False, separators=(",", ":"))
            row["checksum"] = hashes.short_hash(
                b"".join([*(values.tobytes() for values in arrays.values()), text.encode()])
            )
            rows.append({**row, "offset": total, "frames": frames, "phonemes": text})
            total += frames
        if rows:
            writer.table("songs", pd.DataFrame(rows))


def shard_contents(path: Path | str) -> pd.DataFrame:
    """The table of a shard's songs, without phonemes; no rows where every song was rejected."""
    columns = [*COLUMNS, *VOCABULARY, "checksum", "offset", "frames"]
    with hdf5.open_file(path) as file:
        if "songs" not in file:
            return pd.DataFrame(columns=columns)
        return hdf5.read_table(file, "songs", columns)


class Shard:
    """An open shard. Where a song lies comes from the shard's own table: an index may be older.

    sketch [frames], latents [frames, 2 * 64], phonemes [songs]: HDF5 datasets
    mono [frames, 2 * 64]: latents of the mono mix, or None
    """

    def __init__(self, file: h5py.File) -> None:
        self.path = file.filename
        # song: (row in the table, offset, frames, checksum)
        self.rows: dict[str, tuple[int, int, int, str]] = {}
        if "songs" in file:
            self.sketch, self.latents = file["sketch"], file["latents"]
            self.mono = file.get("mono")
            self.phonemes = file["songs/phonemes"]
            names, checksums = (
                file[f"songs/{name}"].asstr()[:].tolist() for name in ("song", "checksum")
            )
            offsets, frames = (file[f"songs/{name}"][:].tolist() for name in ("offset", "frames"))
            places = zip(range(len(names)), offsets, frames, checksums, strict=True)
            self.rows = dict(zip(names, places, strict=True))

    def locate(self, song: str, frames: int, checksum: str) -> tuple[int, int]:
        """(row in the table, first frame) of a song with this length and checksum in the index."""
        row, offset, stored, contents = self.rows.get(song, (-1, -1, 0, ""))
        if (stored, contents) != (frames, checksum):
            problem = f"has {stored} frames, {frames} in the index:" if stored else "is not in it;"
            if stored == frames:
                problem = "has other contents than in the index:"
            raise RasenError(
                f"{self.path}: song '{song}' {problem} the index is older than its shards; "
                "run `snakemake songs`"
            )
        return row, offset
