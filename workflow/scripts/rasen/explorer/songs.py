"""Songs for the page: the list, waveforms and sections of each, its lyrics apart."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rasen.explorer.contract import columns_of
from rasen.explorer.part import Part, table_part
from rasen.explorer.sounds import address, copies_of
from rasen.io.parquet import read_table, read_tables

DRAWN = 500  # songs with a waveform in the page, so that it stays small; the list has all
SOUNDS = ("mix", "vocals", "accompaniment")
OF_SONG = ["song", "artist", "language", "license", "split", "lyrics", "way", "match_ratio",
           "score", "tempo", "music_key", "loudness"]  # fmt: skip
LINE = ["text", "section", "start", "end", "kept", "backing", "reason"]
SECTION = ["start", "end", "label"]
WORD = ["line", "word", "start", "end", "score", "source"]


def parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """The list of songs, the quarantine, and a part of each song that is drawn.

    tables: songs, quarantine, recordings, sections, batches/measure_peaks/{batch}, and lines and
    words
    """
    results = tables["songs"].parents[1]
    explorer, songs = results / "explorer", results / "songs"
    peaks = [path for name, path in tables.items() if name.startswith("batches/measure_peaks/")]
    accepted, rejected = (read_table(tables[name]) for name in ("songs", "quarantine"))
    measured = read_table(tables["recordings"])[["song", "seconds", "audio", "artist"]]
    waves = read_tables(peaks).set_index("song") if peaks else pd.DataFrame()
    table = measured.merge(accepted.reindex(columns=[n for n in OF_SONG if n != "artist"]), "left")
    table["accepted"] = table["song"].isin(accepted["song"])
    # first what can be trained on, as it is what most people open
    table = table.sort_values("accepted", ascending=False, kind="stable", ignore_index=True)
    table["drawn"] = table["song"].isin(waves.index) & (table.index < DRAWN)
    texts = ("language", "license", "split", "lyrics", "way", "music_key")
    table = table.fillna(dict.fromkeys(texts, ""))
    copies = copies_of(tables)
    addresses: dict[str, list[str]] = {name: [] for name in SOUNDS}
    for row in table.itertuples(index=False):
        files = sound_files(row.audio, waves, row.song, songs)
        for name, file in zip(SOUNDS, files, strict=True):
            linked = address(file, explorer)
            addresses[name].append(copies.get(linked, linked))
    table = table.assign(**addresses)
    yield table_part("songs", table, columns_of(contract, "songs"))
    yield table_part("quarantine", rejected, columns_of(contract, "quarantine"))
    sections = _by_song(read_table(tables["sections"]))
    shown = [song for song, drawn in zip(table["song"], table["drawn"], strict=True) if drawn]
    for song in shown:
        yield _wave(waves.loc[song], sections.get(song), song)
    if {"lines", "words"} <= tables.keys():
        lines, words = (_by_song(read_table(tables[name])) for name in ("lines", "words"))
        for song in shown:
            if song in lines:
                yield _lyrics(lines[song], words.get(song), song)


def sound_files(audio: str, waves: pd.DataFrame, song: str, songs: Path) -> tuple[str, str, str]:
    """The recording, the voice and the accompaniment of a song; "" of what is not there.

    waves: peaks of songs, by their name;  songs: the folder of the songs' folders
    """
    if song not in waves.index:
        return "", "", ""
    voice, band = (waves.at[song, f"{stem}_file"] for stem in SOUNDS[1:])
    home = songs / song
    return audio, str(home / voice) if voice else "", str(home / band) if band else ""


def _by_song(table):
    return dict(list(table.groupby("song", sort=False)))


def _wave(row, sections, song):
    """Least and greatest samples, a column each; sections."""
    columns = {name: np.frombuffer(row[name], np.uint8) for name in SOUNDS}
    found = pd.DataFrame(columns=SECTION) if sections is None else sections
    columns |= {f"section_{name}": found[name].to_numpy() for name in SECTION}
    sizes = {name: len(columns[name]) for name in SOUNDS} | {"sections": len(found)}
    values = {"columns_s": float(row["columns_s"]), "seconds": float(row["seconds"])}
    return Part("song_wave", columns, values, sizes, {"song": song})


def _lyrics(lines, words, song):
    """Lines and words with their times; a word names the place of its line."""
    words = pd.DataFrame(columns=["line", *WORD[1:]]) if words is None else words
    place = pd.Index(lines["line"]).get_indexer(words["line"])
    columns = {f"line_{name}": lines[name].to_numpy() for name in LINE}
    columns |= {f"word_{name}": words[name].to_numpy() for name in WORD}
    columns["word_line"] = place
    return Part(
        "song_lyrics", columns, {}, {"lines": len(lines), "words": len(words)}, {"song": song}
    )
