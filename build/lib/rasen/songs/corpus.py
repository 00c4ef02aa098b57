"""The sheet of songs: one row a song, checked before any job runs, and dealt into batches."""

import os
import re
from difflib import get_close_matches
from pathlib import Path

from rasen.errors import RasenError, raise_all
from rasen.io.sheets import read_sheet
from rasen.songs.layout import batch_name

COLUMNS = ("song", "audio", "lyrics", "language", "artist", "structure")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")  # it becomes a folder's name


def read_song_sheet(sheet):
    """DataFrame [song, audio, lyrics, language, artist, structure], all text; paths as seen from
    here. A song without an artist is an artist of its own."""
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
        if not _NAME.fullmatch(name)
    ]
    folded = table["song"].str.casefold()  # some disks don't tell A from a
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
            os.path.normpath(sheet.parent / path) if path else "" for path in table[column]
        ]
    return table.assign(artist=table["artist"].where(table["artist"] != "", table["song"]))


def batches(settings):
    """{name: rows} of so many songs each, in the sheet's order: new songs below disturb none.

    settings: `songs` of the config, or None
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
