"""Activations to train on, block by block: a dump with every frame kept, or an array."""

import json
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rasen.errors import RasenError
from rasen.io import hdf5

BLOCK = hdf5.CHUNK_ROWS
BLOCKS_OF_ARRAY = 100  # groups of an array that comes without


class Source:
    """Rows [rows, d] that are read in any order, and the group (clip, song) of each."""

    def __init__(self, data, name, groups, provenance, frames=None):
        self.data, self.name, self.groups = data, name, groups
        self.rows, self.d = data.shape
        self.frames = frames
        self.provenance = provenance

    def read(self, start, stop):
        """Rows start to stop in the stored dtype, refused when any is not finite."""
        rows = np.asarray(self.data[start:stop])
        broken = np.flatnonzero(~np.isfinite(rows).all(1))
        if len(broken):
            raise RasenError(
                f"{self.name}: NaN or infinite values in {len(broken)} of rows {start} to "
                f"{start + len(rows) - 1}, the first in row {start + broken[0]}; "
                "make the activations again with dtype float32"
            )
        return rows

    def take(self, rows):
        """Any rows, by ascending number, read block by block."""
        found = np.empty((len(rows), self.d), self.data.dtype)
        for places in _by_block(rows):
            first, last = rows[places[0]], rows[places[-1]]
            found[places] = self.read(first, last + 1)[rows[places] - first]
        return found

    def blocks(self):
        """(start, stop) of every block."""
        return [(at, min(at + BLOCK, self.rows)) for at in range(0, self.rows, BLOCK)]


def _by_block(rows):
    """Positions in `rows` (ascending) of each block that holds any."""
    edges = np.flatnonzero(np.diff(rows // BLOCK))
    return np.split(np.arange(len(rows)), edges + 1) if len(rows) else []


@contextmanager
def open_source(source, layer=None, groups=None):
    """A Source of a dump's layer (path, layer) or of an array [rows, d] with group ids or None."""
    if isinstance(source, str | Path):
        with hdf5.open_file(source) as file:
            yield _of_dump(file, source, layer)
    else:
        yield _of_array(np.asarray(source), groups)


def _of_dump(file, path, layer):
    pool = file.attrs.get("pool", "all")
    if pool != "all":
        raise RasenError(
            f"{path}: holds one pooled row a clip (pool: {pool}); dump it with pool: all"
        )
    if "rows/clip" not in file:
        raise RasenError(f"{path}: has no rows/clip; dump it with pool: all")
    layers = sorted(file["layers"])
    name = f"{layer:02d}" if isinstance(layer, int) else str(layer)
    if name not in layers:
        raise RasenError(f"{path}: has no layer {name}; it holds {', '.join(layers)}")
    provenance = {key: _plain(value) for key, value in file.attrs.items() if key != "complete"}
    provenance["crc32"] = int(file[f"layers/{name}"].attrs.get("crc32", 0))
    return Source(
        file[f"layers/{name}"],
        f"{path}: layer {name}",
        file["rows/clip"][:],
        {"layer": name, **provenance},
        file["rows/frame"][:],
    )


def _plain(value):
    """An attribute as JSON can hold it; recipes were stored as JSON."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str) and value[:1] in "{[":
        return json.loads(value)
    return value


def _of_array(array, groups):
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
        raise RasenError(
            f"activations: an array of floats [rows, d] is wanted, not {array.dtype} {array.shape}"
        )
    if groups is None:
        groups = np.arange(len(array)) * BLOCKS_OF_ARRAY // max(1, len(array))
    groups = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
    if len(groups) != len(array):
        raise RasenError(f"groups: {len(groups)} of them for {len(array)} rows; give one a row")
    sample = np.ascontiguousarray(array[:: max(1, len(array) // 1000)])
    return Source(array, "activations", groups, {"crc32": zlib.crc32(sample)})
