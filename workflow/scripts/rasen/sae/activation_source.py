"""Activations to train on, block by block: a dump with every frame kept, or an array."""

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rasen.errors import RasenError
from rasen.io import hdf5

BLOCK = hdf5.CHUNK_ROWS
GROUPS_OF_ARRAY = 100  # groups that an array without groups is divided into
GROUP = "group"  # column of a sheet: clips with the same value stay on one side of every split
SCANNED = 1 << 20  # clip numbers read at a time

Activations = Path | str | np.ndarray  # a dump's path, or rows [rows, d]


@dataclass(frozen=True, eq=False)
class Clips:
    """The clips of a source: runs of rows, in the order of the rows.

    start:  [clips], the first row of each;  rows: [clips], how many it has
    number: [clips], as the source numbers them (a dump: places in its table of clips)
    group:  [clips], song, document or artist: clips of one group are never divided by a split
    """

    start: np.ndarray
    rows: np.ndarray
    number: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


class ActivationSource:
    """Rows [rows, d] that are read in any order, and which clip each is of.

    data:       the rows, as an array or an open dataset of a dump
    name:       of the source, for error messages
    clips:      where each clip starts, and the group it belongs to
    provenance: what the rows are of, as JSON can hold it
    """

    def __init__(self, data: Any, name: str, clips: Clips, provenance: Mapping[str, Any]) -> None:
        self.data, self.name, self.clips = data, name, clips
        self.rows, self.d = data.shape
        self.provenance = provenance

    @property
    def groups(self) -> np.ndarray:
        """The group of each row [rows]."""
        return np.repeat(self.clips.group, self.clips.rows)

    def clip_and_frame(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The clip of some rows, and their place in it."""
        run = np.searchsorted(self.clips.start, numbers, side="right") - 1
        return self.clips.number[run], numbers - self.clips.start[run]

    def read_rows(self, start: int, stop: int) -> np.ndarray:
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

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Rows [chosen, d] by ascending numbers [chosen], read block by block."""
        rows = np.empty((len(numbers), self.d), self.data.dtype)
        for places in _by_block(numbers):
            first, last = numbers[places[0]], numbers[places[-1]]
            rows[places] = self.read_rows(first, last + 1)[numbers[places] - first]
        return rows

    def blocks(self) -> list[tuple[int, int]]:
        """(start, stop) of every block."""
        return [(start, min(start + BLOCK, self.rows)) for start in range(0, self.rows, BLOCK)]


def _by_block(numbers):
    """Positions in `numbers` (ascending) of the rows of each block that holds any."""
    edges = np.flatnonzero(np.diff(numbers // BLOCK))
    return np.split(np.arange(len(numbers)), edges + 1) if len(numbers) else []


@contextmanager
def open_activations(
    source: Activations, layer: int | str | None = None, groups: ArrayLike | None = None
) -> Iterator[ActivationSource]:
    """A dump's layer (path, layer), or an array [rows, d] with group ids [rows] or None."""
    if isinstance(source, str | Path):
        with hdf5.open_file(source) as file:
            yield _of_dump(file, source, layer)
    else:
        yield _of_array(np.asarray(source), groups)


def _of_dump(file, path, layer):
    pool = file.attrs.get("pool", "all")
    if pool != "all":
        raise RasenError(
            f"{path}: holds one pooled row per clip (pool: {pool}); dump it with pool: all"
        )
    if "rows/clip" not in file:
        raise RasenError(f"{path}: has no rows/clip; dump it with pool: all")
    layers = sorted(file["layers"])
    name = f"{layer:02d}" if isinstance(layer, int) else str(layer)
    if name not in layers:
        raise RasenError(f"{path}: has no layer {name}; it holds {', '.join(layers)}")
    provenance = {key: _json_value(value) for key, value in file.attrs.items() if key != "complete"}
    provenance["crc32"] = int(file[f"layers/{name}"].attrs.get("crc32", 0))
    return ActivationSource(
        file[f"layers/{name}"],
        f"{path}: layer {name}",
        _clips_of_dump(file),
        {"layer": name, **provenance},
    )


def _clips_of_dump(file):
    """The clips of a dump; memory holds a few numbers per clip, none per row."""
    numbers = file["rows/clip"]
    starts, found, last = [], [], -1
    for first in range(0, len(numbers), SCANNED):
        block = numbers[first : first + SCANNED]
        begins = np.flatnonzero(np.diff(block, prepend=last))
        starts.append(first + begins)
        found.append(block[begins])
        last = block[-1]
    start, number = (np.concatenate([np.zeros(0, int), *part]) for part in (starts, found))
    group = _groups(hdf5.read_table(file, "clips"))[number] if "clips" in file else number
    return Clips(start, np.diff(start, append=len(numbers)), number, group)


def _groups(clips):
    """The group of every clip of a dump's table [clips]; its own where the table says none."""
    if GROUP not in clips:
        return np.arange(len(clips))
    said = clips[GROUP].astype(str).to_numpy(object)
    alone = np.isin(said, ["", "null", "nan"])
    said[alone] = [f"\0{clip}" for clip in np.flatnonzero(alone)]
    return np.unique(said.astype(str), return_inverse=True)[1]


def _json_value(value):
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
        groups = np.arange(len(array)) * GROUPS_OF_ARRAY // max(1, len(array))
    groups = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
    if len(groups) != len(array):
        raise RasenError(f"groups: {len(groups)} of them for {len(array)} rows; give one per row")
    start = np.flatnonzero(np.diff(groups, prepend=-1))
    clips = Clips(start, np.diff(start, append=len(array)), groups[start], groups[start])
    sample = np.ascontiguousarray(array[:: max(1, len(array) // 1000)])
    crc = zlib.crc32(sample.data)
    return ActivationSource(array, "activations", clips, {"crc32": crc})
