"""One stage over a batch of songs: the outcome of each, and why some were rejected.

A song's files are made in a temporary folder and moved into the song's folder when all are there,
with a *receipt*: a small JSON of the outcome and of the inputs (as a hash). A job that was killed,
or whose batch has changed, resumes from the receipts: a song whose receipt is still valid is not
processed again. The *ledger* is the table of a batch's receipts, one row per song; the next stage
takes the songs whose outcome is `ok` in it.
"""

import itertools
import json
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.io import hashes, parquet
from rasen.io.atomic import write_text
from rasen.songs import thinned
from rasen.songs.reasons import SongError

RETRIED = ("error", "no_ffmpeg")  # reasons that may lie with the machine, not with the song
GPU_ERRORS = ("OutOfMemoryError", "AcceleratorError")  # torch's; not caused by a song either
COLUMNS = ["song", "key", "outcome", "reason", "detail", "files"]

# (tools, row of the song, folder for its files) -> numbers and texts for the ledger
Work = Callable[[Any, Any, Path], Mapping[str, Any] | None]
# (tools, rows of songs) -> something of each song, or the exception that it met, in their order
Stream = Callable[[Any, Iterable[Any]], Iterator[Any]]


class BatchRunner:
    """Runs one stage over the songs of a batch.

    name: of the stage;  folder: of the songs' folders
    code, settings: the stage's code hash and all settings that its results depend on
    """

    def __init__(
        self, name: str, folder: Path | str, code: str, settings: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.folder = Path(folder)
        self.version = hashes.short_hash(code + json.dumps(settings, sort_keys=True))

    def run(
        self,
        songs: pd.DataFrame,
        work: Work,
        open_tools: Callable[[], Any] | None = None,
        stream: Stream | None = None,
    ) -> pd.DataFrame:
        """The ledger of `work` done for every song.

        songs: DataFrame with `song` and `key`, a hash of everything the stage reads of the song
        work: writes the song's files into a folder and returns measures for the ledger
        open_tools: opens the models; called when the first song needs them
        stream: gives `work` something of each song in the place of the tools. It sees all songs
            that are still to do, so it can read ahead of a network and fill its batches
        """
        tools: list[Any] = []  # the opened models, once they are needed
        rows: list[dict[str, Any]] = []
        unexpected: list[str] = []
        keys = self._keys(songs)
        valid = list(map(self._valid_receipt, songs["song"], keys))
        todo = songs[_mask(row is None for row in valid)].itertuples(index=False)
        for song, key, receipt in zip(songs.itertuples(index=False), keys, valid, strict=True):
            row = receipt
            if row is None:
                if not tools:
                    tools = [self._open(open_tools)]
                    values = stream(tools[0], todo) if stream else itertools.repeat(tools[0])
                start = time.perf_counter()
                value = next(values)
                row = dict.fromkeys(COLUMNS, "") | {"song": song.song, "key": key, "outcome": "ok"}
                try:
                    if isinstance(value, Exception):
                        raise value
                    row |= self._process(value, song, work)
                except SongError as error:
                    row |= {"outcome": "out", "reason": error.reason, "detail": str(error)}
                except (RasenError, OSError, MemoryError):
                    raise  # the stage cannot work at all, or the disk is full
                except Exception as error:
                    if type(error).__name__ in GPU_ERRORS:
                        raise
                    traceback.print_exc()
                    detail = f"{type(error).__name__}: {error}"
                    row |= {"outcome": "out", "reason": "error", "detail": detail}
                    unexpected.append(f"{song.song}: {detail}")
                self._write_receipt(row)
                outcome = f"{row['reason']} ({row['detail']})" if row["reason"] else "ok"
                print(f"{song.song}: {outcome}, {time.perf_counter() - start:.1f} s", flush=True)
            rows.append(row)
        if len(unexpected) == len(rows) > 1:
            raise RasenError(f"{self.name}: every song failed, the first with {unexpected[0]}")
        return pd.DataFrame(rows, columns=None if rows else COLUMNS)

    def pending(self, songs: pd.DataFrame) -> pd.DataFrame:
        """The songs that `run` would work on: those without a receipt that is still valid."""
        valid = map(self._valid_receipt, songs["song"], self._keys(songs))
        return songs[_mask(row is None for row in valid)]

    def _keys(self, songs):
        return [hashes.short_hash(self.version + key) for key in songs["key"]]

    def _open(self, open_tools):
        if open_tools is None:
            return None
        start = time.perf_counter()
        tools = open_tools()
        print(f"opened in {time.perf_counter() - start:.1f} s", flush=True)
        return tools

    def _process(self, tools, song, work):
        """Let `work` fill a temporary folder, then move its files to the song's; its measures."""
        home = self.folder / song.song
        partial = home / f".{self.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self._remove_old(song.song)
        partial.mkdir(parents=True)
        try:
            measures = work(tools, song, partial) or {}
            files = sorted(partial.iterdir())
            sizes = {file.name: file.stat().st_size for file in files}
            for file in files:
                file.replace(home / file.name)
            return {**measures, "files": json.dumps(sizes)}
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _receipt_file(self, song):
        return self.folder / song / f".{self.name}.json"

    def _read_receipt(self, song):
        """The row of an earlier run, or None."""
        try:
            return json.loads(self._receipt_file(song).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def _valid_receipt(self, song, key):
        """The row of an earlier run that is still valid, or None (errors are tried again)."""
        row = self._read_receipt(song)
        if row is None or row["key"] != key or row["reason"] in RETRIED:
            return None
        sizes = json.loads(row["files"] or "{}")
        unchanged = all(_is_kept(self.folder / song, *file) for file in sizes.items())
        return row if unchanged else None

    def _write_receipt(self, row):
        write_text(self._receipt_file(row["song"]), json.dumps(row))

    def _remove_old(self, song):
        """Remove the files of an earlier run of the song, so that nothing outdated stays."""
        row = self._read_receipt(song)
        if row is None:
            return
        names = json.loads(row["files"] or "{}")
        thinned.forget(self.folder / song, names)
        for name in names:
            (self.folder / song / name).unlink(missing_ok=True)
        self._receipt_file(song).unlink()


def _mask(values):
    """A mask of rows; of no rows too, where a plain empty list would select no columns instead."""
    return np.fromiter(values, dtype=bool)


def _is_kept(folder, name, size):
    """Whether a listed file is there, or its song's stems were thinned on purpose."""
    return _size(f"{folder}/{name}") == size or thinned.is_thinned(folder, name, size)


def _size(path):
    try:
        return os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return -1


def passed(folder: Path | str, *ledgers: Path | str) -> pd.DataFrame:
    """Songs that are ok in all these ledgers: the columns of the first, all keys joined.

    folder: of the songs' folders. A file that a ledger lists and that is missing there stops the
    job.
    """
    tables = [parquet.read_table(path) for path in ledgers]
    songs = tables[0][tables[0]["outcome"] == "ok"].copy()
    for table in tables[1:]:
        keys = table[table["outcome"] == "ok"].set_index("song")["key"]
        songs = songs[songs["song"].isin(keys.index)].copy()
        songs["key"] = [row.key + keys.loc[row.song] for row in songs.itertuples(index=False)]
    for path, table in zip(ledgers, tables, strict=True):
        check_files(folder, table[table["song"].isin(songs["song"])], [path])
    return songs


def check_files(folder: Path | str, rows: pd.DataFrame, ledgers: Sequence[Path | str]) -> None:
    """Raise when a file is missing in `folder` that rows of these ledgers list."""
    gone = [
        (song, name)
        for song, files in zip(rows["song"], rows["files"], strict=True)
        for name, size in json.loads(files or "{}").items()
        if not _is_kept(f"{folder}/{song}", name, size)
    ]
    if gone:
        song, name = gone[0]
        path = next(path for path in ledgers if song in {*parquet.read_table(path)["song"]})
        more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
        raise RasenError(
            f"{Path(folder) / song / name}: gone or changed; delete {path} and run snakemake "
            f"again{more}"
        )
