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

COLUMNS = (
    "song", "audio", "lyrics", "language", "artist", "structure", "vocals", "accompaniment",
    "license",
)  # fmt: skip
PATHS = ("audio", "lyrics", "structure", "vocals", "accompaniment")
LANGUAGES = {  # other names that sheets have for ISO's two letters
    "eng": "en", "english": "en", "jpn": "ja", "jp": "ja", "japanese": "ja", "zho": "zh",
    "chi": "zh", "cmn": "zh", "cn": "zh", "chinese": "zh", "mandarin": "zh",
}  # fmt: skip
# In the place of a file of lyrics: the words are those that Whisper hears, or there are none.
WITHOUT_FILE = TRANSCRIBE, INSTRUMENTAL = "asr", "inst"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")  # it becomes a folder's name


def read_song_sheet(sheet: Path | str) -> pd.DataFrame:
    """DataFrame with COLUMNS, all text, one row per song.

    Paths are relative to the working directory; a song without an artist is its own artist, and
    languages are in two small letters (EN, en-US and English are en).
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
        for column in table.columns.intersection(PATHS)
        for line, path in enumerate(table[column], start=2)
        if "{" in path or "}" in path  # Snakemake would take them for wildcards
    ]
    table = table.reindex(columns=COLUMNS, fill_value="")
    problems += [
        f"line {line}: song '{row.song}' has an accompaniment without vocals; give the vocals too"
        for line, row in enumerate(table.itertuples(), start=2)
        if row.accompaniment and not row.vocals
    ]
    table["language"] = table["language"].map(language_code)
    problems += [
        f"line {line}: '{name}' is no language; write en, ja, zh, or nothing to have it detected"
        for line, name in enumerate(table["language"], start=2)
        if name and not re.fullmatch("[a-z]{2,3}", name)
    ]
    raise_all(problems, heading=f"{sheet}: the sheet of songs has mistakes:")
    for column in PATHS:
        table[column] = [
            path
            if path == "" or (column == "lyrics" and path in WITHOUT_FILE)
            else os.path.normpath(sheet.parent / path)
            for path in table[column]
        ]
    return table.assign(artist=table["artist"].where(table["artist"] != "", table["song"]))


def language_code(name: str) -> str:
    """A language's name or tag as ISO's two letters, where it is a known one."""
    tag = re.split("[-_]", name.strip().lower())[0]
    return LANGUAGES.get(tag, tag)


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
