"""Separate the vocals of every song of a batch from its accompaniment."""

from dataclasses import asdict
from functools import cache
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.songs import corpus, recording, stems
from rasen.songs import ledger as ledgers
from rasen.songs.reasons import SongError


def separate_stems(
    recordings: Path, songs: Path, settings: stems.SeparationSettings, device: str, code: str,
    ledger: Path,
) -> None:  # fmt: skip
    """Write vocals and accompaniment of each song, as given or separated, and the ledger."""

    @cache  # opened when the first song needs it: none does where all vocals are given
    def separator():
        return stems.open_separator(settings, pick_device(device))

    def work(_, song, folder):
        if song.lyrics == corpus.INSTRUMENTAL:  # the mix is the accompaniment
            return {"given": True}
        sound, rate = recording.reread_recording(song.audio)
        if song.vocals:
            own = stems.given_stems(song.vocals, song.accompaniment, sound, rate)
            return stems.write_stems(folder, *own, settings.format) | {"given": True}
        if settings.model is None:
            raise SongError("stems", "no vocals are given, and `songs.separate.model` is null")
        vocals, accompaniment = stems.separate(separator(), sound, rate, song.song)
        rate = separator().samplerate
        measures = stems.write_stems(folder, vocals, accompaniment, rate, settings.format)
        return measures | {"given": False}

    version = asdict(settings) | {"weights": settings.model and hashes.hash_folder(settings.model)}
    runner = ledgers.BatchRunner("separate_stems", songs, code, version)
    todo = ledgers.passed(songs, recordings)
    for column in ("vocals", "accompaniment"):
        todo["key"] += todo[column].map(hashes.hash_if_present)
    parquet.write_table(runner.run(todo, work), ledger)


if __name__ == "__main__":
    command.run(separate_stems, out_of_memory="set a lower `songs.longest`")
