"""HDF5 files that are whole or absent, say what they hold, and notice when they are damaged.

A file is written under a temporary name and renamed when complete. Every dataset of rows carries
a CRC-32 of its bytes; `complete` is the last thing written. Attributes hold the provenance.
"""

import json
import zlib
from contextlib import contextmanager

import h5py
import numpy as np
import pandas as pd

from rasen.errors import CURE, RasenError
from rasen.io.atomic import whole_file

CHUNK_ROWS = 4096


class Rows:
    """One dataset [rows, ...], written batch by batch in whole row blocks.

    total: how many rows there will be, or None when that shows only at the end.
    """

    def __init__(self, file, name, total, shape, dtype):
        self.total = total
        chunk = (max(1, min(CHUNK_ROWS, total or CHUNK_ROWS)), *shape)
        self.data = file.create_dataset(
            name, (total or 0, *shape), dtype, chunks=chunk, maxshape=(total, *shape)
        )
        self.filled = 0
        self.crc = 0

    def append(self, block):
        """Add block [rows, ...] below what is there."""
        block = np.ascontiguousarray(block, dtype=self.data.dtype)
        if self.total is None:
            self.data.resize(self.filled + len(block), axis=0)
        self.data[self.filled : self.filled + len(block)] = block
        self.filled += len(block)
        self.crc = zlib.crc32(block, self.crc)

    def close(self):
        if self.filled != len(self.data):
            raise RuntimeError(f"{self.data.name}: {self.filled} of {len(self.data)} rows written")
        self.data.attrs["crc32"] = self.crc


class Writer:
    """An open file being made: rows of arrays, tables of clips, attributes."""

    def __init__(self, file):
        self.file = file
        self.rows = {}

    def dataset(self, name, total, shape, dtype):
        """A new dataset `name` [total, *shape] to append to."""
        self.rows[name] = Rows(self.file, name, total, shape, dtype)
        return self.rows[name]

    def array(self, name, values):
        """A whole array at once."""
        values = np.asarray(values)
        self.dataset(name, len(values), values.shape[1:], values.dtype).append(values)

    def table(self, name, frame):
        """A DataFrame as a group with one dataset a column."""
        for column in frame.columns:
            values = frame[column].to_numpy()
            text = not np.issubdtype(values.dtype, np.number) and values.dtype != bool
            if text:  # labels of any kind (lists, missing ones) as words
                values = np.array([v if isinstance(v, str) else json.dumps(v) for v in values])
                values = values.astype(object)
            dtype = h5py.string_dtype() if text else values.dtype
            self.file.create_dataset(f"{name}/{column}", data=values, dtype=dtype)


@contextmanager
def create(path, **attributes):
    """A Writer for `path`, which appears only when the block ends well."""
    with whole_file(path) as partial, _Disk(partial) as disk:
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


class _Disk:
    """The file under an h5py.File. A full disk is remembered and told at the end, as an OSError:
    HDF5 itself cannot close a file that it cannot write, and crashes."""

    def __init__(self, path):
        self.raw = open(path, "w+b", buffering=0)  # noqa: SIM115 (closed by __exit__)
        self.error = None
        self.read, self.readinto = self.raw.read, self.raw.readinto
        self.seek, self.tell = self.raw.seek, self.raw.tell

    def write(self, data):
        left = memoryview(data)
        try:
            while len(left) and not self.error:
                left = left[self.raw.write(left) :]
        except OSError as error:
            self.error = OSError(error.errno, error.strerror, self.raw.name)
        return len(data)

    def truncate(self, size=None):
        return self.raw.truncate(size)

    def flush(self):
        pass  # nothing is held back

    def check(self):
        if self.error:
            raise self.error

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.raw.close()
        if kind and self.error:  # what failed afterwards, failed for this reason
            raise self.error from None


@contextmanager
def open_file(path):
    """An h5py.File for reading, refused in one line when it is missing, cut short or unfinished."""
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


def read_table(file, name):
    """The DataFrame that Writer.table stored."""
    columns = {}
    for column, data in file[name].items():
        text = h5py.check_string_dtype(data.dtype)
        columns[column] = data.asstr()[:] if text else data[:]
    return pd.DataFrame(columns)


def read_rows(file, name):
    """A whole dataset of rows, compared with its checksum."""
    data = file[name][:]
    if zlib.crc32(data) != file[name].attrs["crc32"]:
        raise _damaged(file.filename, name)
    return data


def verify(path):
    """Raise when any dataset differs from what was written (reads the whole file)."""
    with open_file(path) as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if "crc32" in item.attrs else None)
        for name in names:
            data, crc = file[name], 0
            for start in range(0, len(data), CHUNK_ROWS):
                crc = zlib.crc32(np.ascontiguousarray(data[start : start + CHUNK_ROWS]), crc)
            if crc != data.attrs["crc32"]:
                raise _damaged(path, name)


def _damaged(path, name):
    return RasenError(f"{path}: {name} is damaged (its checksum differs); {CURE}")
