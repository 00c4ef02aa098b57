"""The lyrics of every song of a batch as phoneme ids, a structure flag before each section."""

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import hashes, parquet
from rasen.songs import layout, phonemes
from rasen.songs import ledger as ledgers
from rasen.songs.alignment import read_alignment
from rasen.songs.phonemes import inventory


def write_phonemes(
    recordings: Path,
    lyrics_ledger: Path,
    structure_ledger: Path,
    songs: Path,
    settings: phonemes.PhonemeSettings,
    code: str,
    ledger: Path,
) -> None:
    """Write phonemes.json of each song, and the ledger."""

    def open_inventory():
        if settings.vocabulary:
            return inventory.read_vocabulary(settings.vocabulary)
        return inventory.built_in_inventory()

    def work(symbols, song, folder):
        home = songs / song.song
        alignment = read_alignment(home / layout.ALIGNMENT)
        sections = pd.read_csv(home / layout.STRUCTURE, sep="\t")
        spoken = phonemes.song_phonemes(alignment, sections, symbols, settings.dictionary)
        text = json.dumps(spoken, ensure_ascii=False, indent=1)
        (folder / layout.PHONEMES).write_text(text + "\n", encoding="utf-8")
        tokens, _ = phonemes.window_tokens(spoken, 0, song.seconds)
        return {"tokens": len(tokens), "unknown": sum(spoken["unknown"].values())}

    version = asdict(settings) | {  # the files' contents, in the place of their paths
        "dictionary": hashes.hash_if_present(settings.dictionary),
        "vocabulary": hashes.hash_if_present(settings.vocabulary),
    }
    todo = ledgers.passed(songs, recordings, lyrics_ledger, structure_ledger)
    runner = ledgers.BatchRunner("write_phonemes", songs, code, version)
    parquet.write_table(runner.run(todo, work, open_inventory), ledger)


if __name__ == "__main__":
    command.run(write_phonemes)
