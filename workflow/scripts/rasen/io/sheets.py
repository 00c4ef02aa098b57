"""Sheets: tables that users write, .tsv or .csv in UTF-8, read strictly."""

import csv
import io
import json
from pathlib import Path

import pandas as pd

from rasen.errors import RasenError, raise_all

LONGEST_NAME = 200  # of a clip: names of files have 255 bytes at most


def read_sheet(path: Path | str, numbers: bool = True) -> pd.DataFrame:
    """A .tsv or .csv file as a DataFrame of strings.

    numbers: columns (but path, text and clip) that hold only numbers become numeric.
    """
    delimiter = "," if Path(path).suffix == ".csv" else "\t"
    csv.field_size_limit(1 << 30)
    rows = list(csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise RasenError(f"{path}: needs a line of column names and at least one row")
    header = [cell.strip() for cell in rows[0]]
    wrong = [name for name in header if not name or "/" in name or header.count(name) > 1]
    if wrong:
        raise RasenError(f"{path}: column names must differ and hold no slash: {wrong}")
    ragged = [
        f"line {line}: {len(row)} fields, expected {len(header)}"
        for line, row in enumerate(rows[1:], start=2)
        if len(row) != len(header)
    ]
    raise_all(ragged, heading=f"{path}: every line needs the same fields:")
    table = pd.DataFrame(rows[1:], columns=header)
    if not numbers:
        return table
    for column in table.columns.difference(["path", "text", "clip"]):
        values = pd.to_numeric(table[column], errors="coerce")
        if values.notna().all():
            table[column] = values
    return table


def read_json_lines(path: Path | str) -> pd.DataFrame:
    """A .jsonl file, an object a line, as a DataFrame whose columns are of one kind each.

    Where values of a column are of several kinds all are text; lists and objects are written out.
    """
    rows, problems = [], []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"line {number}: no JSON ({str(error)[:80]})")
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            problems.append(f'line {number}: no object; write {{"text": ...}}')
    raise_all(problems, heading=f"{path}: every line must be a JSON object:")
    table = pd.DataFrame(rows)
    for column in table:
        kinds = {_kind(value) for value in table[column]} - {"nothing"}
        if len(kinds) > 1 or "parts" in kinds:
            table[column] = [_as_text(value) for value in table[column]]
    return table


def _kind(value):
    if value is None or value != value:
        return "nothing"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number" if abs(value) < 2**63 else "parts"
    return "text" if isinstance(value, str) else "parts"


def _as_text(value):
    if _kind(value) == "nothing" or isinstance(value, str):
        return value if isinstance(value, str) else None
    return json.dumps(value, ensure_ascii=False)


def refuse_repeated_clips(sheet: Path | str, names: pd.Series) -> None:
    """Raise when a name in the column `clip` of a sheet occurs more than once, or is too long."""
    long = names[names.astype(str).str.len() > LONGEST_NAME].astype(str)
    raise_all(
        f"{sheet}: clip '{name[:40]}...' has {len(name)} characters; {LONGEST_NAME} at most"
        for name in long
    )
    counts = names.value_counts()
    problems = [
        f"clip '{name}' occurs {count} times" for name, count in counts.items() if count > 1
    ]
    raise_all(problems, heading=f"{sheet}: names in `clip` must differ:")


def read_text(path: Path | str) -> str:
    """A file's text: UTF-8, with or without a byte-order mark."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RasenError(f"{path}: no such file; correct `sheet` in the config") from None
    except UnicodeDecodeError:
        raise RasenError(f"{path}: not UTF-8 text; save it as UTF-8") from None
