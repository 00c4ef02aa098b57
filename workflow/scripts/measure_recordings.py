"""Read every recording of a batch once: what it is, how it sounds, whether it can be used."""

from pathlib import Path

import numpy as np

from rasen import command
from rasen.io import hashes, parquet
from rasen.songs import audio_measures, corpus, recording
from rasen.songs.ledger import BatchRunner
from rasen.songs.reasons import SongError


def measure_recordings(
    sheet: Path, batch: str, size: int, settings: dict, songs: Path, code: str, ledger: Path
):
    """Write the ledger, with the sheet's rows in it, and a fingerprint of each song."""
    rows = corpus.batches({"sheet": sheet, "batch": size})[batch].reset_index(drop=True)
    shortest, longest = settings["shortest"], settings["longest"]

    def work(_, song, folder):
        told = recording.seconds(song.audio) if Path(song.audio).is_file() else None
        if told is not None:
            within(told)  # before a long one is read
        sound, rate = recording.read_recording(song.audio, longest + 1)
        measures = audio_measures.measures(sound, rate)
        within(measures["seconds"])
        np.save(folder / "fingerprint.npy", audio_measures.fingerprint(sound, rate))
        return measures

    def within(seconds):
        if seconds < shortest:
            raise SongError("too_short", f"{seconds:.2f} s, songs.shortest is {shortest:g}")
        if seconds > longest:
            raise SongError("too_long", f"{seconds:.0f} s, songs.longest is {longest:g}")

    rows["key"] = rows["audio"].map(hashes.hash_if_present)
    made = BatchRunner("measure_recordings", songs, code, settings).run(rows, work)
    # Later stages read the recording, not what was measured: their key is the recording's alone.
    parquet.write_table(made.drop(columns="key").merge(rows, on="song"), ledger)


if __name__ == "__main__":
    command.run(measure_recordings)
