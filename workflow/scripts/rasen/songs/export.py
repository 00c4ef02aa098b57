"""The training set as tar files in the WebDataset layout, for reading from object stores."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.io import hdf5
from rasen.io.atomic import whole_file
from rasen.networks.frames import LATENT_CHANNELS
from rasen.songs.shards import Shard


def export_shard(path: Path | str, shard: Path | str, songs: pd.DataFrame) -> None:
    """Songs of one shard as {song}.{json,sketch.npy,mean.npy,scale.npy,phonemes.json}; the same
    songs give the same bytes. Where the shard has latents of the mono mix, mono_{mean,scale}.npy.

    songs: DataFrame [song, frames, ...] of the shard
    """
    with (
        whole_file(path) as partial,
        hdf5.open_file(shard) as file,
        tarfile.open(partial, "w") as tar,
    ):
        opened = Shard(file)
        for song in songs.to_dict("records"):
            row, offset = opened.locate(song["song"], song["frames"], song["checksum"])
            frames = slice(offset, offset + song["frames"])
            # WebDataset ends a key at its first dot; no song's name holds a %.
            name = song["song"].replace(".", "%2E")
            _add(tar, f"{name}.json", json.dumps(song | {"offset": offset}, default=str).encode())
            _add(tar, f"{name}.phonemes.json", opened.phonemes[row])
            _add(tar, f"{name}.sketch.npy", _npy_bytes(opened.sketch[frames]))
            for prefix, latents in (("", opened.latents), ("mono_", opened.mono)):
                if latents is not None:
                    mean, scale = np.split(latents[frames], [LATENT_CHANNELS], axis=1)
                    _add(tar, f"{name}.{prefix}mean.npy", _npy_bytes(mean))
                    _add(tar, f"{name}.{prefix}scale.npy", _npy_bytes(scale))


def _npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
