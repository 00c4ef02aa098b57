"""The training set as tar shards in the WebDataset layout, for reading from object stores."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np

from rasen import store
from rasen.songs.shards import LATENTS


def to_tar(path, shard, songs):
    """Songs of one shard as {song}.{json,sketch.npy,mean.npy,scale.npy,phonemes.json}; the same
    songs give the same bytes.

    songs: DataFrame [song, offset, frames, ...] of the shard
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with store.open_file(shard) as file, tarfile.open(partial, "w") as tar:
        table = store.read_table(file, "songs").set_index("song")
        for row in songs.itertuples(index=False):
            frames = slice(row.offset, row.offset + row.frames)
            latents = file["latents"][frames]
            name = row.song.replace(".", "_")  # WebDataset ends a key at its first dot
            _add(tar, f"{name}.json", json.dumps(row._asdict(), default=str).encode())
            _add(tar, f"{name}.phonemes.json", table.loc[row.song, "phonemes"].encode())
            _add(tar, f"{name}.sketch.npy", _npy(file["sketch"][frames]))
            _add(tar, f"{name}.mean.npy", _npy(latents[:, :LATENTS]))
            _add(tar, f"{name}.scale.npy", _npy(latents[:, LATENTS:]))
    partial.replace(path)


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
