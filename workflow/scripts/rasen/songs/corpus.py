"""The sheet of songs: one row per song, checked before any job runs, and split into batches."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.io.sheets import read_sheet
from rasen.songs.layout import batch_name

COLUMNS = ("song", "audio", "lyrics", "language", "artist", "structure")
TRANSCRIBE = "asr"  # in the place of lyrics: a song's words are those that Whisper hears
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")  # it becomes a folder's name


def read_song_sheet(sheet: Path | str) -> pd.DataFrame:
    """DataFrame [song, audio, lyrics, language, artist, structure], all text, one row per song.

    Paths are relative to the working directory; a song without an artist is its own artist.
    """
    sheet = Path(sheet)
    table = read_sheet(sheet, numbers=False)
    if lacking := [column for column in ("song", "audio") if column not in table]:
        raise RasenError(f"{sheet}: has no column {', '.join(lacking)} (found: {', '.join(table)})")
    problems = [
        f"column `{name}`: did you mean `{near[0]}`?"
        for name in table.columns.difference(COLUMNS)
        if (near := get_close_matches(name, COLUMNS, n=1, cutoff=0.75))
    ]
    problems += [
        f"line {line}: song '{name}': a name may hold letters, digits and _ . - only (200)"
        for line, name in enumerate(table["song"], start=2)
        if not NAME.fullmatch(name)
    ]
    folded = table["song"].str.casefold()  # some file systems ignore case
    problems += [f"song '{name}' occurs twice" for name in table["song"][folded.duplicated()]]
    problems += [
        f"line {line}: song '{row.song}' has no audio"
        for line, row in enumerate(table.itertuples(), start=2)
        if not row.audio
    ]
    problems += [
        f"line {line}: '{path}': a path may hold no braces"
        for column in table.columns.intersection(["audio", "lyrics", "structure"])
        for line, path in enumerate(table[column], start=2)
        if "{" in path or "}" in path  # Snakemake would take them for wildcards
    ]
    raise_all(problems, heading=f"{sheet}: the sheet of songs has mistakes:")
    table = table.reindex(columns=COLUMNS, fill_value="")
    for column in ("audio", "lyrics", "structure"):
        table[column] = [
            path
            if path == "" or (column, path) == ("lyrics", TRANSCRIBE)
            else os.path.normpath(sheet.parent / path)
            for path in table[column]
        ]
    return table.assign(artist=table["artist"].where(table["artist"] != "", table["song"]))


def song_batches(settings: Mapping[str, Any] | None) -> dict[str, pd.DataFrame]:
    """{batch: its rows of the sheet}, in the sheet's order: songs appended to it change no batch
    but the last.

    settings: `songs` of the config (its sheet, and how many songs a batch has), or None
    """
    if not settings:
        return {}
    if not Path(settings["sheet"]).is_file():
        raise RasenError(
            f"config/config.yaml: songs.sheet: {settings['sheet']} does not exist; correct the path"
        )
    songs, size = read_song_sheet(settings["sheet"]), settings["batch"]
    return {
        batch_name(start // size): songs.iloc[start : start + size]
        for start in range(0, len(songs), size)
    }
