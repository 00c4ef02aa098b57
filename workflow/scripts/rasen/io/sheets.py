"""Sheets: tables that users write, .tsv or .csv in UTF-8, read strictly."""

import csv
import io
from pathlib import Path

import pandas as pd

from rasen.errors import RasenError, raise_all


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


def refuse_repeated_clips(sheet: Path | str, names: pd.Series) -> None:
    """Raise when a name in the column `clip` of a sheet occurs more than once."""
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
