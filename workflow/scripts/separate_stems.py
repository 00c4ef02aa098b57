"""Separate the vocals of every song of a batch from its accompaniment."""

from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import ledger as ledgers
from rasen.songs import recording, stems


def separate_stems(
    recordings: Path, songs: Path, settings: stems.SeparationSettings, device: str, code: str,
    ledger: Path,
) -> None:  # fmt: skip
    """Write vocals and accompaniment of each song, and the ledger."""

    def work(separator, song, folder):
        sound, rate = recording.reread_recording(song.audio)
        vocals, accompaniment = stems.separate(separator, sound, rate, song.song)
        return stems.write_stems(
            folder, vocals, accompaniment, separator.samplerate, settings.format
        )

    def open_model():
        return stems.open_separator(settings, pick_device(device))

    version = asdict(settings) | {"weights": hashes.hash_folder(settings.model)}
    runner = ledgers.BatchRunner("separate_stems", songs, code, version)
    todo = ledgers.passed(songs, recordings)
    parquet.write_table(runner.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(separate_stems, out_of_memory="set a lower `songs.longest`")
