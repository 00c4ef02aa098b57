"""Read every recording of a batch once: level, silence, fingerprint, and whether it is usable."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from rasen import command
from rasen.io import hashes, parquet
from rasen.songs import audio_measures, corpus, layout
from rasen.songs.ledger import BatchRunner
from rasen.songs.recording import RecordingLimits, header_seconds, read_recording


def measure_recordings(
    sheet: Path, batch: str, size: int, settings: RecordingLimits, songs: Path, code: str,
    ledger: Path,
) -> None:  # fmt: skip
    """Write the ledger, with the sheet's rows in it, and a fingerprint of each song.

    size: songs per batch
    """
    batches = corpus.song_batches({"sheet": sheet, "batch": size})
    rows = batches[batch].reset_index(drop=True)

    def work(_, song, folder):
        expected = header_seconds(song.audio) if Path(song.audio).is_file() else None
        if expected is not None:
            settings.check(expected)  # before a long one is read
        sound, rate = read_recording(song.audio, settings.longest + 1)
        measures = audio_measures.measure_sound(sound, rate)
        settings.check(measures["seconds"])
        np.save(folder / layout.FINGERPRINT, audio_measures.fingerprint(sound, rate))
        return measures

    rows["key"] = rows["audio"].map(hashes.hash_if_present)
    outcomes = BatchRunner("measure_recordings", songs, code, asdict(settings)).run(rows, work)
    # Later stages depend on the recording, not on its measures: their key is the recording's.
    parquet.write_table(outcomes.drop(columns="key").merge(rows, on="song"), ledger)


if __name__ == "__main__":
    command.run(measure_recordings)
