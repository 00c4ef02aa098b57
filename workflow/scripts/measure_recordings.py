"""Read every recording of a batch once: what it is, how it sounds, whether it can be used."""

from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command, fingerprint, tables
from rasen.songs import listening, recording
from rasen.songs.ledger import Stage
from rasen.songs.reasons import SongError


def measure_recordings(rows: list, settings: dict, songs: Path, code: str, ledger: Path):
    """Write the ledger, with the sheet's rows in it, and a fingerprint of each song."""
    sheet = pd.DataFrame(rows)
    shortest, longest = settings["shortest"], settings["longest"]

    def work(_, song, folder):
        told = recording.seconds(song.audio) if Path(song.audio).is_file() else None
        if told is not None:
            within(told)  # before a long one is read
        sound, rate = recording.read(song.audio)
        measures = listening.measures(sound, rate)
        within(measures["seconds"])
        np.save(folder / "fingerprint.npy", listening.fingerprint(sound, rate))
        return measures

    def within(seconds):
        if seconds < shortest:
            raise SongError("too_short", f"{seconds:.2f} s, songs.shortest is {shortest:g}")
        if seconds > longest:
            raise SongError("too_long", f"{seconds:.0f} s, songs.longest is {longest:g}")

    sheet["key"] = sheet["audio"].map(fingerprint.if_there)
    made = Stage("measure_recordings", songs, code, settings).run(sheet, work)
    tables.write(made.merge(sheet.drop(columns="key"), on="song"), ledger)


if __name__ == "__main__":
    command.run(measure_recordings)
