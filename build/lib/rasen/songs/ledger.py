"""One stage over a batch of songs: what each came to, and why some fell out.

A song's files are made in a folder of their own and moved in place when all are there, with a
receipt that says from what they were made. A job that was killed, or whose batch has changed,
goes on from the receipts: a song whose receipt still holds is not worked on again. The ledger is
the table of a batch's receipts; the next stage takes the songs that are `ok` in it.
"""

import json
import shutil
import time
import traceback
from pathlib import Path

import pandas as pd

from rasen.errors import RasenError
from rasen.io import hashes, parquet
from rasen.io.atomic import write_text
from rasen.songs.reasons import SongError

TRIED_AGAIN = ("error", "no_ffmpeg")  # reasons that need not be the song's
OF_THE_GPU = ("OutOfMemoryError", "AcceleratorError")  # torch's; no song's fault either
COLUMNS = ["song", "key", "outcome", "reason", "detail", "files"]


class BatchRunner:
    """A stage's name, where its songs lie, and a version (its code and settings)."""

    def __init__(self, name, folder, code, settings):
        self.name = name
        self.folder = Path(folder)
        self.version = hashes.short_hash(code + json.dumps(settings, sort_keys=True))

    def run(self, songs, work, open_tools=None):
        """The ledger of `work(tools, song, folder) -> measures` done for every song, a row each.

        songs: DataFrame with `song` and `key`, a hash of all that the stage reads of the song
        work: makes the song's files in `folder`; returns {name: number or text} for the ledger
        open_tools: opens the models, called when the first song needs them
        """
        tools, rows, unforeseen = [], [], []
        for song in songs.itertuples(index=False):
            key = hashes.short_hash(self.version + song.key)
            row = self._receipt(song.song, key)
            if row is None:
                tools = tools or [self._open(open_tools)]
                start = time.perf_counter()
                row = dict.fromkeys(COLUMNS, "") | {"song": song.song, "key": key, "outcome": "ok"}
                try:
                    row |= self._make(tools[0], song, work)
                except SongError as error:
                    row |= {"outcome": "out", "reason": error.reason, "detail": str(error)}
                except (RasenError, OSError, MemoryError):
                    raise  # a stage that cannot work at all, a full disk: no song's fault
                except Exception as error:
                    if type(error).__name__ in OF_THE_GPU:
                        raise
                    traceback.print_exc()
                    detail = f"{type(error).__name__}: {error}"
                    row |= {"outcome": "out", "reason": "error", "detail": detail}
                    unforeseen.append(f"{song.song}: {detail}")
                self._write_receipt(row)
                told = f"{row['reason']} ({row['detail']})" if row["reason"] else "ok"
                print(f"{song.song}: {told}, {time.perf_counter() - start:.1f} s", flush=True)
            rows.append(row)
        if len(unforeseen) == len(rows) > 1:
            raise RasenError(f"{self.name}: every song failed, the first with {unforeseen[0]}")
        return pd.DataFrame(rows, columns=None if rows else COLUMNS)

    def _open(self, open_tools):
        if open_tools is None:
            return None
        start = time.perf_counter()
        tools = open_tools()
        print(f"opened in {time.perf_counter() - start:.1f} s", flush=True)
        return tools

    def _make(self, tools, song, work):
        """Let `work` fill a folder, then move its files to the song's; its measures."""
        home = self.folder / song.song
        partial = home / f".{self.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self._forget(song.song)
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

    def _path(self, song):
        return self.folder / song / f".{self.name}.json"

    def _receipt(self, song, key):
        """The row of an earlier run that still holds, or None (errors are tried again)."""
        try:
            row = json.loads(self._path(song).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        home = self.folder / song
        whole = row["key"] == key and row["reason"] not in TRIED_AGAIN
        files = json.loads(row["files"] or "{}").items()
        return row if whole and all(_size(home / name) == size for name, size in files) else None

    def _write_receipt(self, row):
        write_text(self._path(row["song"]), json.dumps(row))

    def _forget(self, song):
        """Take away what an earlier run made of the song, so that nothing stale stays."""
        try:
            old = json.loads(self._path(song).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return
        for name in json.loads(old["files"] or "{}"):
            (self.folder / song / name).unlink(missing_ok=True)
        self._path(song).unlink()


def _size(path):
    return path.stat().st_size if path.is_file() else -1


def passed(folder, *ledgers):
    """Songs that are ok in all these ledgers: the columns of the first, keys of all joined.

    Files that a ledger names and that are gone stop the job: no song's fault.
    """
    gone = []
    parts = [parquet.read_table(path) for path in ledgers]
    songs = parts[0][parts[0]["outcome"] == "ok"].copy()
    for part in parts[1:]:
        part = part[part["outcome"] == "ok"].set_index("song")
        songs = songs[songs["song"].isin(part.index)].copy()
        songs["key"] = [
            row.key + part.loc[row.song, "key"] for row in songs.itertuples(index=False)
        ]
    for path, part in zip(ledgers, parts, strict=True):
        for row in part[part["song"].isin(songs["song"])].itertuples(index=False):
            for name, size in json.loads(row.files).items():
                if _size(Path(folder) / row.song / name) != size:
                    gone.append(f"{Path(folder) / row.song / name}: gone or changed; delete {path}")
    if gone:
        more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
        raise RasenError(f"{gone[0]} and run snakemake again{more}")
    return songs
