"""Songs of any system that are to be scored: their sheet, what each asked for, what was heard.

A row is a song of a system. A row that is wrong is left out with its reason; the others go on.
References are scored too, as the system `real`, and again after the VAE (encoded, decoded): what
no system that writes through this VAE can be expected to beat.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.io.sheets import read_sheet
from rasen.songs.align.recognise import IMPROBABLE
from rasen.songs.corpus import NAME, language_code
from rasen.songs.lyrics import Line, read_lyrics, split_words, written_language
from rasen.songs.phonemes import LANGUAGES, english, line
from rasen.songs.phonemes.inventory import PUNCTUATION
from rasen.songs.reasons import SongError
from rasen.songs.structure.labels import FLAGS, SUNG, flag_of_label

COLUMNS = ("system", "song", "audio", "lyrics", "language", "reference", "text")
PATHS = ("audio", "lyrics", "reference")
REAL, DECODED = "real", "real through the VAE"
LEFT_OUT = ("system", "song", "metric", "reason", "detail")  # metric "": the whole row
HEARD = "heard.json"
FRAMES, PROMPT, TEXT = "embedding.npy", "prompt.npy", "text.npy"


@dataclass(frozen=True)
class HearingSettings:
    """How words are heard; keys of `songs.align`, and `songs.phonemes.dictionary`."""

    whisper: str
    beam: int
    onset: float
    offset: float
    chunk: float
    dictionary: str | None = None


@dataclass(frozen=True)
class EmbeddingSettings:
    """What sound is embedded with; folders of models, None where a metric is not asked for.

    muq, layer, window, seconds: for FAD, a row for every `seconds`
    mulan, mulan_audio, mulan_text: for MCC, MuQ-MuLan and the MuQ and XLM-R that it names
    """

    muq: str | None
    layer: int
    window: float
    seconds: float
    mulan: str | None = None
    mulan_audio: str | None = None
    mulan_text: str | None = None


def read_score_sheet(sheet: Path | str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows with COLUMNS and `id`, rows that are left out with LEFT_OUT) of a sheet.

    Paths are relative to the sheet. `id` is the name of the folder of a row's files.
    """
    sheet = Path(sheet)
    table = read_sheet(sheet, numbers=False)
    if lacking := [column for column in COLUMNS[:3] if column not in table]:
        raise RasenError(f"{sheet}: has no column {', '.join(lacking)} (found: {', '.join(table)})")
    table = table.reindex(columns=COLUMNS, fill_value="").map(str.strip)
    table["language"] = table["language"].map(language_code)
    table["id"] = [row_id(row.system, row.song) for row in table.itertuples()]
    seen: set[str] = set()
    details = []
    for number, row in enumerate(table.itertuples(), start=2):
        problems = _problems(row)
        if not problems and row.id.casefold() in seen:  # some file systems ignore case
            problems.append(f"the song '{row.song}' of '{row.system}' occurs twice")
        if not problems:
            seen.add(row.id.casefold())
        details.append(f"{sheet}, line {number}: {'; '.join(problems)}" if problems else "")
    for column in PATHS:
        table[column] = [path and os.path.normpath(sheet.parent / path) for path in table[column]]
    wrong = np.array([bool(detail) for detail in details])
    out = table[wrong].assign(metric="", reason="row", detail=[d for d in details if d])
    return table[~wrong].reset_index(drop=True), out[list(LEFT_OUT)].reset_index(drop=True)


def row_id(system: str, song: str) -> str:
    """The name of the folder of a song of a system."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", system).strip("-") + "--" + song


def _problems(row):
    """What is wrong with a row by itself."""
    problems = []
    if not re.search("[A-Za-z0-9]", row.system):
        problems.append(f"'{row.system}' is no name of a system")
    if row.system in (REAL, DECODED):
        problems.append(f"the name '{row.system}' is kept for references; take another")
    if not NAME.fullmatch(row.song):
        problems.append(f"song '{row.song}': a name may hold letters, digits and _ . - only")
    if not row.audio:
        problems.append("names no audio")
    problems += [
        f"'{path}': a path may hold no braces"  # Snakemake would take them for wildcards
        for path in (row.audio, row.lyrics, row.reference)
        if "{" in path or "}" in path
    ]
    if row.language and row.language not in LANGUAGES:
        problems.append(
            f"'{row.language}' has no phonemes; write {', '.join(LANGUAGES)}, or nothing"
        )
    return problems


def reference_rows(rows: pd.DataFrame, same_song: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows of the system `real`, one per song with a reference; what is left out) of all rows.

    Of several rows with one song the first that has lyrics is taken.
    same_song: a reference sings the row's lyrics. Otherwise it only gave the sound that a system
    was to take up, and has no lyrics here
    """
    named = rows[rows["reference"] != ""]
    with_lyrics_first = named.sort_values("lyrics", key=lambda path: path == "", kind="stable")
    first = with_lyrics_first.drop_duplicates("song").sort_index()
    other = named.merge(first[["song", "reference"]], on="song", suffixes=("", "_first"))
    other = other[other["reference"] != other["reference_first"]].drop_duplicates(
        ["song", "reference"]
    )
    real = first.assign(system=REAL, audio=first["reference"], text="")
    if not same_song:
        real = real.assign(lyrics="", language="")
    real["id"] = [row_id(REAL, song) for song in real["song"]]
    out = other.assign(
        system=REAL, metric="", reason="row",
        detail=[f"{row.reference}: another reference of this song is taken: {row.reference_first}"
                for row in other.itertuples()],
    )  # fmt: skip
    return real.reset_index(drop=True), out[list(LEFT_OUT)].reset_index(drop=True)


def lyrics_language(lines: Sequence[Line], language: str) -> str:
    """The language of a row: as the sheet says, or by the lyrics' script."""
    return language or written_language(lines)


def read_words(path: Path | str) -> list[Line]:
    """The lines of lyrics that are to be heard; backing vocals are left out.

    ASSUME: as in the lyrics that a model is given (`rasen.songs.phonemes`), where they are too.
    """
    lines = [each for each in read_lyrics(path) if not each.backing]
    if not lines:
        raise SongError("no_lyrics", f"{path}: holds no words")
    return lines


def phonemes_of(texts: Sequence[str], language: str, dictionary: Path | str | None) -> list[str]:
    """The phonemes of lines, one after the other, without marks."""
    pronunciations = english.read_dictionary(dictionary)
    found = []
    for text in texts:
        words, _ = line.line_tokens(split_words(text, language), text, language, pronunciations)
        found += [token for word in words for token in word if token not in PUNCTUATION]
    return found


def hear(transcriber: Any, vocals: np.ndarray, language: str, batch: int = 1) -> list[str]:
    """What Whisper hears in vocals [time] at 16 kHz, a text per stretch; no lyrics are shown to it.

    Nothing where there is no voice: such a song has all its phonemes deleted, and still counts.
    """
    chunks = transcriber.detect_voice(np.asarray(vocals, dtype=np.float32))
    return [
        transcript.text
        for transcript in transcriber.transcribe(vocals, chunks, language, batch)
        if transcript.log_probability >= IMPROBABLE
    ]


def asked_sections(text: str, seconds_per_flag: float) -> list[tuple[str, float | None]]:
    """[(label, seconds)] of the sections that lyrics name in square brackets, in their order.

    [verse], [Chorus 2], also several in one row, as lyrics for SongBloom have them: there a flag
    without singing is repeated for every `seconds_per_flag`. One alone may last any time.
    """
    sections: list[tuple[str, int]] = []
    end = None
    for found in re.finditer(r"\[([^\[\]]+)\]", text):
        flag = flag_of_label(found[1])
        if flag not in FLAGS:
            continue
        repeated = end is not None and not text[end : found.start()].strip(" \t,")
        if sections and sections[-1][0] == flag and flag not in SUNG and repeated:
            sections[-1] = (flag, sections[-1][1] + 1)
        else:
            sections.append((flag, 1))
        end = found.end()
    return [(flag, count * seconds_per_flag if count > 1 else None) for flag, count in sections]


def mean_rows(states: np.ndarray, size: int) -> np.ndarray:
    """Means [n, d] of states [T, d] over `size` frames; a rest of less than half is left out."""
    count = max(1, round(len(states) / size))
    return np.stack([states[i * size : (i + 1) * size].mean(axis=0) for i in range(count)])


def ledger_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as the stages take them: `song` is the name of a folder, `name` that of the song."""
    return rows.rename(columns={"song": "name"}).rename(columns={"id": "song"})


def left_out(ledger: pd.DataFrame, rows: pd.DataFrame, metric: str = "") -> pd.DataFrame:
    """The songs that a stage's ledger has out, with LEFT_OUT.

    rows: with `song` (the folder), `name` and `system`;  metric: the one that these songs lack
    """
    out = ledger[ledger["outcome"] != "ok"][["song", "reason", "detail"]]
    out = out.merge(rows[["song", "name", "system"]], on="song").drop(columns="song")
    out = out.rename(columns={"name": "song"}).assign(metric=metric)
    return out[list(LEFT_OUT)].reset_index(drop=True)
