"""HDF5 files that are complete or absent, describe themselves, and are checked for damage.

A file is written under a temporary name and renamed when complete. Every dataset of rows carries
a CRC-32 of its bytes; `complete` is the last thing written. Attributes hold the provenance.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from rasen.errors import CURE, RasenError
from rasen.io.atomic import whole_file

CHUNK_ROWS = 4096


class Rows:
    """One dataset [rows, ...], written batch by batch.

    total: the number of rows, or None where it is known only at the end.
    """

    def __init__(
        self, file: h5py.File, name: str, total: int | None, shape: tuple[int, ...], dtype: Any
    ) -> None:
        self.total = total
        chunk = (max(1, min(CHUNK_ROWS, total or CHUNK_ROWS)), *shape)
        self.data = file.create_dataset(
            name, (total or 0, *shape), dtype, chunks=chunk, maxshape=(total, *shape)
        )
        self.filled = 0
        self.crc = 0

    def append(self, block: np.ndarray) -> None:
        """Add block [rows, ...] below the rows written so far."""
        block = np.ascontiguousarray(block, dtype=self.data.dtype)
        if self.total is None:
            self.data.resize(self.filled + len(block), axis=0)
        self.data[self.filled : self.filled + len(block)] = block
        self.filled += len(block)
        self.crc = zlib.crc32(block.data, self.crc)

    def close(self) -> None:
        """Write the checksum; raises when rows are missing."""
        if self.filled != len(self.data):
            raise RuntimeError(f"{self.data.name}: {self.filled} of {len(self.data)} rows written")
        self.data.attrs["crc32"] = self.crc


class Writer:
    """An open file being written: rows of arrays, tables of clips, attributes."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file
        self.rows: dict[str, Rows] = {}

    def dataset(self, name: str, total: int | None, shape: tuple[int, ...], dtype: Any) -> Rows:
        """A new dataset `name` [total, *shape] to append to."""
        self.rows[name] = Rows(self.file, name, total, shape, dtype)
        return self.rows[name]

    def array(self, name: str, values: np.ndarray) -> None:
        """A complete array."""
        values = np.asarray(values)
        self.dataset(name, len(values), values.shape[1:], values.dtype).append(values)

    def table(self, name: str, table: pd.DataFrame) -> None:
        """A DataFrame as a group with one dataset per column."""
        for column in table.columns:
            values = table[column].to_numpy()
            text = not np.issubdtype(values.dtype, np.number) and values.dtype != bool
            if text:  # labels of any type (lists, None) as text
                values = np.array([v if isinstance(v, str) else json.dumps(v) for v in values])
                values = values.astype(object)
            dtype = h5py.string_dtype() if text else values.dtype
            self.file.create_dataset(f"{name}/{column}", data=values, dtype=dtype)


@contextmanager
def create(path: Path | str, **attributes: Any) -> Iterator[Writer]:
    """A Writer for `path`, which appears only when the block ends without an error."""
    with whole_file(path) as partial, _RawFile(partial) as disk:
        with h5py.File(disk, "w", libver="latest") as file:
            for key, value in attributes.items():
                plain = isinstance(value, str | int | float | bool)
                file.attrs[key] = value if plain else json.dumps(value)
            writer = Writer(file)
            yield writer
            for rows in writer.rows.values():
                rows.close()
            file.attrs["complete"] = True
        disk.check()


class _RawFile:
    """The file under an h5py.File. Its first write error (a full disk) is raised by `check`, after
    the h5py.File is closed: HDF5 cannot close a file that it cannot write, and crashes."""

    def __init__(self, path: Path) -> None:
        self.raw = open(path, "w+b", buffering=0)  # noqa: SIM115 (closed by __exit__)
        self.error: OSError | None = None
        self.read, self.readinto = self.raw.read, self.raw.readinto
        self.seek, self.tell = self.raw.seek, self.raw.tell

    def write(self, data):
        unwritten = memoryview(data)
        try:
            while len(unwritten) and not self.error:
                unwritten = unwritten[self.raw.write(unwritten) :]
        except OSError as error:
            self.error = OSError(error.errno, error.strerror, self.raw.name)
        return len(data)

    def truncate(self, size=None):
        return self.raw.truncate(size)

    def flush(self):
        pass  # nothing is buffered

    def check(self):
        if self.error:
            raise self.error

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.raw.close()
        if kind and self.error:  # the cause of every later error
            raise self.error from None


@contextmanager
def open_file(path: Path | str) -> Iterator[h5py.File]:
    """An h5py.File for reading; a RasenError when it is missing, cut short or unfinished."""
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise RasenError(f"{path}: no such file; run the stage that makes it") from None
    except OSError as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None
    with file:
        if not file.attrs.get("complete", False):
            raise RasenError(f"{path}: was never finished; {CURE}")
        yield file


def read_table(file: h5py.File, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The DataFrame that Writer.table stored, or these of its columns."""
    table = {}
    for column in columns or file[name]:
        data = file[name][column]
        text = h5py.check_string_dtype(data.dtype)
        table[column] = data.asstr()[:] if text else data[:]
    return pd.DataFrame(table)


def read_rows(file: h5py.File, name: str) -> np.ndarray:
    """A complete dataset of rows, compared with its checksum."""
    data = file[name][:]
    if zlib.crc32(data) != file[name].attrs["crc32"]:
        raise _damaged(file.filename, name)
    return data


def verify(path: Path | str) -> None:
    """Raise when a dataset does not match its checksum (reads the whole file)."""
    with open_file(path) as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if "crc32" in item.attrs else None)
        for name in names:
            data, crc = file[name], 0
            for start in range(0, len(data), CHUNK_ROWS):
                block = np.ascontiguousarray(data[start : start + CHUNK_ROWS])
                crc = zlib.crc32(block.data, crc)
            if crc != data.attrs["crc32"]:
                raise _damaged(path, name)


def _damaged(path, name):
    return RasenError(f"{path}: {name} is damaged (its checksum differs); {CURE}")
