"""The user's own stimuli: a folder of audio with a sheet, or a file of text."""

import csv
import io
import json
from pathlib import Path

import pandas as pd

from rasen import audio, fingerprint
from rasen.errors import RasenError, one_error

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
    if error := one_error(missing, heading=f"{sheet}: not every file is there:"):
        raise error
    if "clip" not in table:
        table.insert(0, "clip", [f"{i:06d}-{Path(p).stem}" for i, p in enumerate(table["path"])])
    _refuse_doubles(sheet, table["clip"])
    # The bytes count, not the file's date: a changed recording is another clip.
    table["sha256"] = [fingerprint.file(path) for path in table["path"]]
    table["bytes"] = [Path(path).stat().st_size for path in table["path"]]
    return table.assign(kind="audio", seconds=float(settings["seconds"]))


def sound(row, rate):
    """The first `seconds` of the recording [time], mono at `rate`, as loud as it is."""
    if Path(row.path).is_file() and fingerprint.file(row.path) != row.sha256:
        raise RasenError(
            f"{row.path}: has changed since its sheet was read; run snakemake with "
            "--forcerun list_stimuli"
        )
    return audio.read(row.path, rate, row.seconds)


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
    return fingerprint.short(str([found.get(path) for path in paths]))


def text_clips(settings):
    """One row a document: a line of a .txt file, or the field `text` of .jsonl, .tsv or .csv."""
    path = Path(settings["sheet"])
    if path.suffix == ".txt":
        table = pd.DataFrame({"text": _text(path).split("\n")})
    elif path.suffix == ".jsonl":
        lines = [line for line in _text(path).split("\n") if line.strip()]
        try:
            table = pd.DataFrame([json.loads(line) for line in lines])
        except (json.JSONDecodeError, AttributeError, TypeError) as error:
            raise RasenError(f"{path}: a line is not a JSON object ({error})") from None
    else:
        table = read_sheet(path)
    if "text" not in table:
        raise RasenError(f"{path}: has no field `text` (found: {', '.join(map(str, table))})")
    table = table[table["text"].astype(str).str.strip() != ""].reset_index(drop=True)
    if table.empty:
        raise RasenError(f"{path}: holds no text")
    if "clip" not in table:
        table.insert(0, "clip", [f"{i:06d}" for i in range(len(table))])
    _refuse_doubles(path, table["clip"])
    return table.assign(kind="text")


def _refuse_doubles(sheet, names):
    counts = names.value_counts()
    problems = [
        f"clip '{name}' occurs {count} times" for name, count in counts.items() if count > 1
    ]
    if error := one_error(problems, heading=f"{sheet}: names in `clip` must differ:"):
        raise error


def read_sheet(path, numbers=True):
    """A .tsv or .csv file as a DataFrame of strings; columns of `numbers` alone become numbers."""
    delimiter = "," if Path(path).suffix == ".csv" else "\t"
    csv.field_size_limit(1 << 30)
    rows = list(csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise RasenError(f"{path}: needs a line of column names and at least one row")
    header = [cell.strip() for cell in rows[0]]
    odd = [name for name in header if not name or "/" in name or header.count(name) > 1]
    if odd:
        raise RasenError(f"{path}: column names must differ and hold no slash: {odd}")
    ragged = [
        f"line {line}: {len(row)} fields, expected {len(header)}"
        for line, row in enumerate(rows[1:], start=2)
        if len(row) != len(header)
    ]
    if error := one_error(ragged, heading=f"{path}: every line needs the same fields:"):
        raise error
    table = pd.DataFrame(rows[1:], columns=header)
    for column in table.columns.difference(["path", "text", "clip"]) if numbers else ():
        values = pd.to_numeric(table[column], errors="coerce")
        if values.notna().all():
            table[column] = values
    return table


def _text(path):
    """A file's text: UTF-8, with or without a byte-order mark."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RasenError(f"{path}: no such file; correct `sheet` in the config") from None
    except UnicodeDecodeError:
        raise RasenError(f"{path}: not UTF-8 text; save it as UTF-8") from None
