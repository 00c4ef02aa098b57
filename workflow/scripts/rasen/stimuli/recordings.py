"""The user's own recordings: a folder of audio with a sheet."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.io import audio, hashes
from rasen.io.json_dataclass import from_dict
from rasen.io.sheets import read_sheet, refuse_repeated_clips
from rasen.seeds import generator
from rasen.stimuli.above_zero import require_above_zero

RESERVED = {"kind", "text", "sha256", "bytes", "seconds", "crop"}


class ChangedRecording(RasenError):
    """A recording is not what it was when its sheet was read: no fault of the recording's."""


@dataclass(frozen=True)
class RecordingSettings:
    """A set of recordings.

    sheet:    lists them
    seconds:  how much of each is used, where the sheet has no columns start and end
    clips:    how many of them, drawn by the seed; None: all
    crop:     where that part begins: at the start, or at a place drawn by the seed
    """

    sheet: str
    seconds: float = 30
    clips: int | None = None
    crop: Literal["start", "random"] = "start"
    seed: int = 0

    def __post_init__(self) -> None:
        require_above_zero(self, "seconds", *["clips"] * (self.clips is not None))


def recording_clips(settings: RecordingSettings) -> pd.DataFrame:
    """One row per line of the sheet: `path` (relative to the sheet's folder) and its labels.

    With columns `start` and `end` a line is that part of its file, of which several lines may name
    one. A recording that is missing or cannot be opened is listed too, and left out when it is
    encoded.
    """
    table = _listed(settings)
    # By content, not by date: a changed recording is another clip.
    files = table["path"].unique()
    with ThreadPoolExecutor() as pool:
        digests = dict(zip(files, pool.map(hashes.hash_if_present, files), strict=True))
    table["sha256"] = table["path"].map(digests)
    if set(table["sha256"]) <= {"missing", "unreadable"}:
        raise RasenError(
            f"{settings.sheet}: none of its files can be opened, such as {table['path'].iloc[0]}; "
            "paths are relative to the sheet's folder"
        )
    table["bytes"] = [
        Path(path).stat().st_size if digest != "missing" else 0
        for path, digest in zip(table["path"], table["sha256"], strict=True)
    ]
    length = table["end"] - table["start"] if "start" in table else float(settings.seconds)
    return table.assign(kind="audio", seconds=length)


def _listed(settings):
    """The chosen lines of the sheet, with `clip`, `path` from here, and `crop` if that is drawn."""
    sheet = Path(settings.sheet)
    table = read_sheet(sheet)
    if "path" not in table:
        raise RasenError(f"{sheet}: has no column `path` (found: {', '.join(table)})")
    if taken := RESERVED & set(table):
        raise RasenError(f"{sheet}: column names {sorted(taken)} are used by Rasen; rename them")
    table["path"] = [str(sheet.parent / path) for path in table["path"]]
    if "clip" not in table:
        table.insert(0, "clip", [f"{i:06d}-{Path(p).stem}" for i, p in enumerate(table["path"])])
    refuse_repeated_clips(sheet, table["clip"])
    if {"start", "end"} & set(table):
        _refuse_wrong_parts(sheet, table, settings)
        table = table.astype({"start": float, "end": float})
    if settings.crop == "random":
        table["crop"] = generator(settings.seed, "crop").random(len(table))
    if settings.clips is None:
        return table
    if settings.clips > len(table):
        raise RasenError(f"{sheet}: lists {len(table)} recordings, not clips: {settings.clips}")
    # One number a line: lines that are added at the end change few of the others' places.
    order = generator(settings.seed, "clips").random(len(table)).argsort()
    return table.iloc[np.sort(order[: settings.clips])].reset_index(drop=True)


def _refuse_wrong_parts(sheet, table, settings):
    """Raise where `start` and `end` are not seconds, or say together with `crop` what is read."""
    for name in ("start", "end"):
        if name not in table:
            raise RasenError(f"{sheet}: has no column `{name}`; give start and end, or neither")
    if settings.crop != "start":
        raise RasenError(
            f"{sheet}: has start and end, which leave nothing to `crop`; take that out"
        )
    times = table[["start", "end"]].apply(pd.to_numeric, errors="coerce")
    right = (times["start"] >= 0) & (times["start"] < times["end"]) & (times["end"] < np.inf)
    problems = [
        f"line {line + 2}: start '{table['start'][line]}', end '{table['end'][line]}'"
        for line in table.index[~right]
    ]
    raise_all(problems, heading=f"{sheet}: start and end must be seconds, start before end:")


def recording_sound(row: Any, rate: int) -> np.ndarray:
    """The part of the recording that the row names [time], mono at `rate`, its level unchanged."""
    if row.sha256 in ("missing", "unreadable"):
        reason = {"missing": "no such file", "unreadable": "may not be read"}[row.sha256]
        raise RasenError(f"{row.path}: {reason}; correct the path, or take its row out")
    if _hash_now(row.path) != row.sha256:
        raise ChangedRecording(
            f"{row.path}: has changed since its sheet was read; run snakemake with "
            "--forcerun list_stimuli"
        )
    return audio.read_mono(
        row.path, rate, row.seconds, getattr(row, "crop", 0.0), getattr(row, "start", None)
    )


def _hash_now(path):
    """`hash_if_present`; a file that many clips are parts of is read once while it is the same."""
    try:
        state = Path(path).stat()
    except OSError:
        return "missing"
    return _hash_of_state(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hash_of_state(path, size, changed):
    return hashes.hash_if_present(path)


def hash_of_sizes(settings: Mapping[str, Any], clips: Path | str) -> str:
    """Hash of the sizes of a set's recordings, which changes when one is replaced; "" of others.

    settings: the set's entry in the config, of any kind. Recordings that are not on this machine
    (results came without them) count with their size in the table `clips` of an earlier run.
    """
    if settings["kind"] != "audio" or not Path(settings["sheet"]).is_file():
        return ""
    fields = {name: value for name, value in settings.items() if name != "kind"}
    try:
        paths = _listed(from_dict(RecordingSettings, fields))["path"].tolist()
    except RasenError:  # the job that lists the clips says what is wrong
        return ""
    sizes = {path: Path(path).stat().st_size for path in paths if Path(path).is_file()}
    if len(sizes) < len(set(paths)) and Path(clips).is_file():
        listed = pd.read_parquet(clips, columns=["path", "bytes", "sha256"])
        listed = listed[listed["sha256"] != "missing"]
        sizes = dict(zip(listed["path"], listed["bytes"].tolist(), strict=True)) | sizes
    return hashes.short_hash(str([sizes.get(path) for path in paths]))
