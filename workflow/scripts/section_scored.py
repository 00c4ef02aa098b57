"""Find the sections of every song that is to be scored, by its sound alone."""

from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import layout, stems, structure
from rasen.songs.ledger import BatchRunner, passed


def section_scored(
    recordings: Path,
    stem_ledger: Path,
    songs: Path,
    settings: structure.StructureSettings,
    device: str,
    code: str,
    ledger: Path,
) -> None:
    """Write structure.tsv of each song, and the ledger."""

    def open_model():
        if settings.backend == "allin1" and settings.model:
            from rasen.songs.structure import allin1

            return allin1.open_model(settings.model, pick_device(device))
        return None

    def work(model, song, folder):
        home = songs / song.song
        vocals, rate = stems.read_stem(home, "vocals")
        sounds = {"vocals": vocals, "accompaniment": stems.read_stem(home, "accompaniment")[0]}
        # The lyrics name their sections: they must not help to find them.
        sections = structure.find_sections(settings.backend, sounds, rate, None, model=model)
        sections.to_csv(folder / layout.STRUCTURE, sep="\t", index=False, float_format="%.3f")
        return {"sections": len(sections)}

    version = asdict(settings)
    if settings.model:
        version["weights"] = hashes.hash_folder(settings.model)
    todo = passed(songs, recordings, stem_ledger)
    runner = BatchRunner("section_scored", songs, code, version)
    parquet.write_table(runner.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(section_scored, out_of_memory="set a lower `songs.longest`")
