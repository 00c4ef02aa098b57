"""Find the sections of every song of a batch."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import corpus, layout, recording, stems, structure, thinned
from rasen.songs import ledger as ledgers
from rasen.songs.alignment import is_instrumental, read_alignment
from rasen.songs.reasons import SongError
from rasen.songs.structure.labels import FLAGS


def tag_structure(
    recordings: Path,
    stem_ledger: Path,
    lyrics_ledger: Path,
    songs: Path,
    settings: structure.StructureSettings,
    device: str,
    code: str,
    ledger: Path,
) -> None:
    """Write structure.tsv and structure.json (as All-In-One writes it) of each song, the ledger."""
    backend = settings.backend

    def open_model():
        if backend == "allin1" and settings.model:
            from rasen.songs.structure import allin1

            return allin1.open_model(settings.model, pick_device(device))
        return None

    def work(model, song, folder):
        if backend == "given" and not song.structure:
            raise SongError("annotation", "the sheet names none")
        home = songs / song.song
        alignment = read_alignment(home / layout.ALIGNMENT)
        if is_instrumental(alignment):
            mix, rate = recording.reread_recording(song.audio)
            sounds = {"vocals": np.zeros_like(mix), "accompaniment": mix}
        else:
            vocals, rate = stems.read_stem(home, "vocals")
            sounds = {"vocals": vocals, "accompaniment": stems.read_stem(home, "accompaniment")[0]}
        sections = structure.find_sections(
            backend, sounds, rate, alignment, annotation=song.structure, model=model
        )
        sections.to_csv(folder / layout.STRUCTURE, sep="\t", index=False, float_format="%.3f")
        text = json.dumps(structure.allin1_json(sections, song.audio), indent=1)
        (folder / layout.STRUCTURE_JSON).write_text(text + "\n", encoding="utf-8")
        lengths = (sections["end"] - sections["start"]).groupby(sections["label"]).sum()
        seconds = {flag: float(lengths.get(flag, 0.0)) for flag in FLAGS}
        return {"sections": len(sections), "backend": backend, **seconds}

    todo = ledgers.passed(songs, recordings, stem_ledger, lyrics_ledger)
    if backend == "given":
        todo["key"] += todo["structure"].map(hashes.hash_if_present)
    runner = ledgers.BatchRunner("tag_structure", songs, code, asdict(settings))
    sung = todo["lyrics"] != corpus.INSTRUMENTAL
    thinned.check_present(songs, runner.pending(todo[sung])["song"])
    parquet.write_table(runner.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(tag_structure, out_of_memory="set a lower `songs.longest`")
