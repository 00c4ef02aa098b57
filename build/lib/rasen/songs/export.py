"""The training set as tar shards in the WebDataset layout, for reading from object stores."""

import io
import json
import tarfile

import numpy as np

from rasen.io import hdf5
from rasen.io.atomic import whole_file
from rasen.songs.shards import LATENTS, Shard


def to_tar(path, shard, songs):
    """Songs of one shard as {song}.{json,sketch.npy,mean.npy,scale.npy,phonemes.json}; the same
    songs give the same bytes.

    songs: DataFrame [song, frames, ...] of the shard
    """
    with (
        whole_file(path) as partial,
        hdf5.open_file(shard) as file,
        tarfile.open(partial, "w") as tar,
    ):
        whole = Shard(file)
        for song in songs.to_dict("records"):
            row, offset = whole.find(song["song"], song["frames"])
            frames = slice(offset, offset + song["frames"])
            latents = whole.latents[frames]
            # WebDataset ends a key at its first dot; no song's name holds a %.
            name = song["song"].replace(".", "%2E")
            _add(tar, f"{name}.json", json.dumps(song | {"offset": offset}, default=str).encode())
            _add(tar, f"{name}.phonemes.json", whole.phonemes[row])
            _add(tar, f"{name}.sketch.npy", _npy(whole.sketch[frames]))
            _add(tar, f"{name}.mean.npy", _npy(latents[:, :LATENTS]))
            _add(tar, f"{name}.scale.npy", _npy(latents[:, LATENTS:]))


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
