"""The user's own recordings: a folder of audio with a sheet."""

from pathlib import Path

import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.io import audio, hashes
from rasen.io.sheets import read_sheet, refuse_repeated_clips

RESERVED = {"kind", "text", "sha256", "bytes", "seconds"}


def audio_clips(settings):
    """One row a line of the sheet: `path` (from the sheet's folder), and any labels beside it."""
    sheet = Path(settings["sheet"])
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
    raise_all(missing, heading=f"{sheet}: not every file is there:")
    if "clip" not in table:
        table.insert(0, "clip", [f"{i:06d}-{Path(p).stem}" for i, p in enumerate(table["path"])])
    refuse_repeated_clips(sheet, table["clip"])
    # The bytes count, not the file's date: a changed recording is another clip.
    table["sha256"] = [hashes.hash_file(path) for path in table["path"]]
    table["bytes"] = [Path(path).stat().st_size for path in table["path"]]
    return table.assign(kind="audio", seconds=float(settings["seconds"]))


def sound(row, rate):
    """The first `seconds` of the recording [time], mono at `rate`, as loud as it is."""
    if Path(row.path).is_file() and hashes.hash_file(row.path) != row.sha256:
        raise RasenError(
            f"{row.path}: has changed since its sheet was read; run snakemake with "
            "--forcerun list_stimuli"
        )
    return audio.read_mono(row.path, rate, row.seconds)


def sizes(settings, clips):
    """Hash of the sizes of the recordings: another one at a path is noticed, a touch is not.

    Recordings that are not here (results came without them) count as listed in the file `clips`.
    """
    if settings["kind"] != "audio" or not Path(settings["sheet"]).is_file():
        return ""
    sheet = Path(settings["sheet"])
    try:
        paths = [str(sheet.parent / path) for path in read_sheet(sheet).get("path", [])]
    except RasenError:  # told by the job that lists the clips
        return ""
    found = {path: Path(path).stat().st_size for path in paths if Path(path).is_file()}
    if len(found) < len(set(paths)) and Path(clips).is_file():
        listed = pd.read_parquet(clips, columns=["path", "bytes"])
        found = dict(zip(listed["path"], listed["bytes"].tolist(), strict=True)) | found
    return hashes.short_hash(str([found.get(path) for path in paths]))
