"""Name the sections of every song of a batch."""

import json
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import ledger as ledgers
from rasen.songs import stems, structure
from rasen.songs.reasons import SongError


def tag_structure(
    recordings: Path,
    stem_ledger: Path,
    lyrics_ledger: Path,
    songs: Path,
    settings: dict,
    device: str,
    code: str,
    ledger: Path,
):
    """Write structure.tsv and structure.json (as All-In-One writes it) of each song, the ledger."""
    backend = settings["backend"]

    def open_model():
        if backend == "allin1":
            from rasen.songs.structure import allin1

            return allin1.open_model(settings["model"], pick_device(device))
        return None

    def work(model, song, folder):
        if backend == "given" and not song.structure:
            raise SongError("annotation", "the sheet names none")
        home = songs / song.song
        alignment = json.loads((home / "alignment.json").read_text(encoding="utf-8"))
        parts = {name: stems.read_stem(home, name) for name in ("vocals", "accompaniment")}
        rate = parts["vocals"][1]
        sounds = {name: sound for name, (sound, _) in parts.items()}
        table = structure.tag(
            backend, sounds, rate, alignment, annotation=song.structure, model=model
        )
        table.to_csv(folder / "structure.tsv", sep="\t", index=False, float_format="%.3f")
        twin = json.dumps(structure.to_json(table, song.audio), indent=1)
        (folder / "structure.json").write_text(twin + "\n", encoding="utf-8")
        return {"sections": len(table), "backend": backend}

    todo = ledgers.passed(songs, recordings, stem_ledger, lyrics_ledger)
    if backend == "given":
        todo["key"] += todo["structure"].map(hashes.hash_if_present)
    stage = ledgers.BatchRunner("tag_structure", songs, code, settings)
    parquet.write_table(stage.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(tag_structure)
