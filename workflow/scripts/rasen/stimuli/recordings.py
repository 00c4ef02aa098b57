"""The user's own recordings: a folder of audio with a sheet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.io import audio, hashes
from rasen.io.sheets import read_sheet, refuse_repeated_clips
from rasen.stimuli.above_zero import require_above_zero

RESERVED = {"kind", "text", "sha256", "bytes", "seconds"}


@dataclass(frozen=True)
class RecordingSettings:
    """A set of recordings: the sheet that lists them, and how many seconds of each are used."""

    sheet: str
    seconds: float = 30

    def __post_init__(self) -> None:
        require_above_zero(self, "seconds")


def recording_clips(settings: RecordingSettings) -> pd.DataFrame:
    """One row per line of the sheet: `path` (relative to the sheet's folder) and its labels."""
    sheet = Path(settings.sheet)
    table = read_sheet(sheet)
    if "path" not in table:
        raise RasenError(f"{sheet}: has no column `path` (found: {', '.join(table)})")
    if taken := RESERVED & set(table):
        raise RasenError(f"{sheet}: column names {sorted(taken)} are used by Rasen; rename them")
    table["path"] = [str(sheet.parent / path) for path in table["path"]]
    missing = [
        f"line {line}: {path} does not exist"
        for line, path in enumerate(table["path"], start=2)
        if not Path(path).is_file()
    ]
    raise_all(missing, heading=f"{sheet}: files are missing:")
    if "clip" not in table:
        table.insert(0, "clip", [f"{i:06d}-{Path(p).stem}" for i, p in enumerate(table["path"])])
    refuse_repeated_clips(sheet, table["clip"])
    # By content, not by date: a changed recording is another clip.
    table["sha256"] = [hashes.hash_file(path) for path in table["path"]]
    table["bytes"] = [Path(path).stat().st_size for path in table["path"]]
    return table.assign(kind="audio", seconds=float(settings.seconds))


def recording_sound(row: Any, rate: int) -> np.ndarray:
    """The first `seconds` of the recording [time], mono at `rate`, its level unchanged."""
    if Path(row.path).is_file() and hashes.hash_file(row.path) != row.sha256:
        raise RasenError(
            f"{row.path}: has changed since its sheet was read; run snakemake with "
            "--forcerun list_stimuli"
        )
    return audio.read_mono(row.path, rate, row.seconds)


def hash_of_sizes(settings: Mapping[str, Any], clips: Path | str) -> str:
    """Hash of the sizes of a set's recordings, which changes when one is replaced; "" of others.

    settings: the set's entry in the config, of any kind. Recordings that are not on this machine
    (results came without them) count with their size in the table `clips` of an earlier run.
    """
    if settings["kind"] != "audio" or not Path(settings["sheet"]).is_file():
        return ""
    sheet = Path(settings["sheet"])
    try:
        paths = [str(sheet.parent / path) for path in read_sheet(sheet).get("path", [])]
    except RasenError:  # the job that lists the clips says what is wrong
        return ""
    sizes = {path: Path(path).stat().st_size for path in paths if Path(path).is_file()}
    if len(sizes) < len(set(paths)) and Path(clips).is_file():
        listed = pd.read_parquet(clips, columns=["path", "bytes"])
        sizes = dict(zip(listed["path"], listed["bytes"].tolist(), strict=True)) | sizes
    return hashes.short_hash(str([sizes.get(path) for path in paths]))
