"""The user's own texts: a line of a .txt file or a field of a table is one document."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rasen.errors import RasenError
from rasen.io.sheets import read_json_lines, read_sheet, read_text, refuse_repeated_clips


@dataclass(frozen=True)
class TextSettings:
    """A set of texts: the file that holds them."""

    sheet: str


def text_clips(settings: TextSettings) -> pd.DataFrame:
    """One row per document: a line of a .txt file, or the field `text` of .jsonl, .tsv or .csv."""
    path = Path(settings.sheet)
    if path.suffix == ".txt":
        table = pd.DataFrame({"text": read_text(path).split("\n")})
    elif path.suffix == ".jsonl":
        table = read_json_lines(path)
    else:
        table = read_sheet(path)
    if "text" not in table:
        raise RasenError(f"{path}: has no field `text` (found: {', '.join(map(str, table))})")
    table["text"] = table["text"].fillna("").astype(str)
    table = table[table["text"].str.strip() != ""].reset_index(drop=True)
    if table.empty:
        raise RasenError(f"{path}: holds no text")
    if "clip" not in table:
        table.insert(0, "clip", [f"{i:06d}" for i in range(len(table))])
    refuse_repeated_clips(path, table["clip"])
    return table.assign(kind="text")
