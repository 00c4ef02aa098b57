"""Songs that are asked for: their sheet, and the file of what a network needs to make them.

A row of the sheet is a song: lyrics, and a recording whose first seconds are the prompt. A row
that is wrong is left out with its reasons; the others go on.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.io import hdf5
from rasen.io.sheets import read_sheet
from rasen.networks.frames import FRAME_RATE, LATENT_CHANNELS
from rasen.networks.oobleck import HOP, SAMPLE_RATE
from rasen.songs import recording
from rasen.songs.corpus import NAME, language_code
from rasen.songs.phonemes import LANGUAGES
from rasen.songs.reasons import SongError

COLUMNS = ("song", "lyrics", "language", "reference")
PATHS = ("lyrics", "reference")
LEFT_OUT = ("song", "reason", "detail")
PROMPT_SECONDS = 10  # as in the paper


@dataclass(frozen=True)
class Requests:
    """songs: COLUMNS, frames (of the prompt) and phonemes (JSON), a row per song;
    prompts: {"stereo" or "mono": latents [songs, frames, 64]};  inventory, vae: what made them"""

    songs: pd.DataFrame
    prompts: Mapping[str, np.ndarray]
    inventory: str
    vae: str


def read_request_sheet(sheet: Path | str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows with COLUMNS, what is left out with LEFT_OUT); paths are relative to the sheet."""
    sheet = Path(sheet)
    table = read_sheet(sheet, numbers=False)
    needed = [column for column in COLUMNS if column != "language"]
    if lacking := [column for column in needed if column not in table]:
        raise RasenError(f"{sheet}: has no column {', '.join(lacking)} (found: {', '.join(table)})")
    table = table.reindex(columns=COLUMNS, fill_value="").map(str.strip)
    table["language"] = table["language"].map(language_code)
    seen: set[str] = set()
    good, out = [], []
    for number, row in enumerate(table.itertuples(index=False), start=2):
        problems = _problems(row)
        if row.song.casefold() in seen:  # some file systems ignore case
            problems.append(f"the song '{row.song}' occurs twice")
        seen.add(row.song.casefold())
        out += [(row.song, "row", f"{sheet}, line {number}: {told}") for told in problems]
        good.append(not problems)
    for column in PATHS:
        table[column] = [path and os.path.normpath(sheet.parent / path) for path in table[column]]
    left_out = pd.DataFrame(out, columns=list(LEFT_OUT), dtype=str)
    return table[np.array(good)].reset_index(drop=True), left_out


def _problems(row):
    """What is wrong with a row by itself."""
    problems = []
    if not NAME.fullmatch(row.song):
        problems.append(f"song '{row.song}': a name may hold letters, digits and _ . - only")
    for column in PATHS:
        path = getattr(row, column)
        if not path:
            problems.append(f"names no {column}")
        if "{" in path or "}" in path:  # Snakemake would take them for wildcards
            problems.append(f"'{path}': a path may hold no braces")
    if row.language and row.language not in LANGUAGES:
        problems.append(
            f"'{row.language}' has no phonemes; write {', '.join(LANGUAGES)}, or nothing"
        )
    return problems


def read_prompt(path: Path | str, mix: str = "stereo") -> np.ndarray:
    """The first seconds [2, time] of a recording at 48 kHz, whole frames long.

    mix: mono: the mean of the channels on both, as SongBloom's public code
    """
    sound, rate = recording.read_recording(path)
    sound = sound[:, : PROMPT_SECONDS * rate]
    if mix == "mono":
        sound = sound.mean(axis=0, keepdims=True)
    sound = recording.to_stereo(sound, rate, SAMPLE_RATE)[:, : PROMPT_SECONDS * SAMPLE_RATE]
    frames = sound.shape[1] // HOP
    if not frames:
        raise SongError("too_short", f"{path}: shorter than a frame of {1 / FRAME_RATE:g} s")
    if not sound.any():
        raise SongError("silent", f"{path}: its first {PROMPT_SECONDS} s are silent")
    return sound[:, : frames * HOP]


def pad_prompts(prompts: Sequence[np.ndarray]) -> np.ndarray:
    """Latents [frames, 64] of songs as one array [songs, 250, 64], zeros after what each has."""
    padded = np.zeros((len(prompts), PROMPT_SECONDS * FRAME_RATE, LATENT_CHANNELS), np.float32)
    for row, latents in zip(padded, prompts, strict=True):
        row[: len(latents)] = latents
    return padded


def write_requests(path: Path | str, requests: Requests) -> None:
    """Write an HDF5 file of requests."""
    with hdf5.create(path, inventory=requests.inventory, vae=requests.vae) as file:
        file.table("songs", requests.songs)
        for mix, latents in requests.prompts.items():
            file.array(f"prompts/{mix}", latents)


def read_requests(path: Path | str) -> Requests:
    """The requests that `write_requests` wrote."""
    with hdf5.open_file(path) as file:
        prompts = {mix: hdf5.read_rows(file, f"prompts/{mix}") for mix in file["prompts"]}
        songs = hdf5.read_table(file, "songs")
        return Requests(songs, prompts, str(file.attrs["inventory"]), str(file.attrs["vae"]))
