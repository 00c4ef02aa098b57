"""Where the page finds a sound: notes are its own, recordings stay where they lie."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from rasen.io.parquet import read_table

SHOWN = ("chord", "scale", "tempo", "time_signature", "progression", "language")  # of a clip


def address(path: Path | str, explorer: Path | str) -> str:
    """The address of a file, as a page in the folder `explorer` names it; "" of none."""
    if not path:
        return ""
    if os.path.isabs(path) and not Path(path).is_relative_to(Path(explorer).parent):
        return Path(path).as_uri()
    return quote(os.path.relpath(path, explorer))


def copies_of(tables: Mapping[str, Path]) -> dict[str, str]:
    """{address of a file as linked: its copy in the page's folder}, where there are copies."""
    if "media/copies" not in tables:
        return {}
    table = read_table(tables["media/copies"])
    return {
        address(source, tables["media/copies"].parents[1] / "explorer"): f"media/{file}"
        for source, file in zip(table["source"], table["file"], strict=True)
    }


def copied_files(tables: Mapping[str, Path]) -> dict[str, Path]:
    """{name in the page's folder: the file} of copies that are made."""
    if "media/copies" not in tables:
        return {}
    folder = tables["media/copies"].parent
    return {f"media/{file}": folder / file for file in read_table(tables["media/copies"])["file"]}


def clip_sounds(sheet: pd.DataFrame, explorer: Path | str) -> pd.DataFrame:
    """A row per clip: name, kind, about, instrument, pitch (-1: no note), src, start, seconds."""
    table = sheet.reindex(
        columns=["clip", "kind", "instrument", "pitch", "path", "start", "end", "seconds"]
    )
    known = [name for name in SHOWN if name in sheet]
    about = sheet[known].astype(str).agg(", ".join, axis=1) if known else ""
    start = table["start"].astype(float).fillna(0.0)
    seconds = table["seconds"].astype(float).fillna(table["end"].astype(float) - start)
    is_note = table["kind"] == "notes"
    return pd.DataFrame(
        {
            "name": table["clip"].astype(str),
            "kind": table["kind"].astype(str),
            "about": about,
            "instrument": table["instrument"].where(is_note, ""),
            "pitch": table["pitch"].where(is_note, -1).fillna(-1).astype(int),
            "src": [address(path, explorer) for path in table["path"].astype(object).fillna("")],
            "start": start,
            "seconds": seconds,
        }
    )
