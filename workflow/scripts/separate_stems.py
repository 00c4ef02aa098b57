"""Separate the vocals of every song of a batch from its accompaniment."""

from pathlib import Path

from rasen import command, fingerprint, tables
from rasen.device import pick_device
from rasen.songs import ledger as ledgers
from rasen.songs import recording, stems


def separate_stems(
    recordings: Path, songs: Path, settings: dict, device: str, code: str, ledger: Path
):
    """Write vocals and accompaniment of each song, and the ledger."""

    def work(separator, song, folder):
        sound, rate = recording.read_again(song.audio)
        vocals, accompaniment = stems.separate(separator, sound, rate, song.song)
        return stems.write(folder, vocals, accompaniment, separator.samplerate, settings["format"])

    def open_model():
        return stems.open_separator(settings, pick_device(device))

    weights = {"weights": fingerprint.weights(settings["model"])}
    stage = ledgers.Stage("separate_stems", songs, code, settings | weights)
    todo = ledgers.survivors(songs, recordings)
    tables.write(stage.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(separate_stems)
