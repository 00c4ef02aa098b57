"""The lyrics of every song of a batch as phoneme ids, a structure flag before each section."""

import json
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import hashes, parquet
from rasen.songs import ledger as ledgers
from rasen.songs import phonemes
from rasen.songs.phonemes import inventory


def write_phonemes(
    recordings: Path,
    lyrics_ledger: Path,
    structure_ledger: Path,
    songs: Path,
    settings: dict,
    code: str,
    ledger: Path,
):
    """Write phonemes.json of each song, and the ledger."""

    def open_inventory():
        vocabulary = settings["vocabulary"]
        return inventory.read_vocabulary(vocabulary) if vocabulary else inventory.built_in()

    def work(symbols, song, folder):
        home = songs / song.song
        alignment = json.loads((home / "alignment.json").read_text(encoding="utf-8"))
        sections = pd.read_csv(home / "structure.tsv", sep="\t")
        spoken = phonemes.speak(alignment, sections, symbols, settings)
        text = json.dumps(spoken, ensure_ascii=False, indent=1)
        (folder / "phonemes.json").write_text(text + "\n", encoding="utf-8")
        tokens, _ = phonemes.sequence(spoken, 0, song.seconds)
        return {"tokens": len(tokens), "unknown": sum(spoken["unknown"].values())}

    files = {key: hashes.hash_if_present(settings[key]) for key in ("dictionary", "vocabulary")}
    todo = ledgers.passed(songs, recordings, lyrics_ledger, structure_ledger)
    stage = ledgers.BatchRunner("write_phonemes", songs, code, settings | files)
    parquet.write_table(stage.run(todo, work, open_inventory), ledger)


if __name__ == "__main__":
    command.run(write_phonemes)
