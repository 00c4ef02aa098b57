"""Read every recording that is to be scored once: whether it is usable, and how long."""

from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.io import hashes, parquet
from rasen.songs.ledger import BatchRunner
from rasen.songs.recording import RecordingLimits, header_seconds, read_recording


def read_scored(
    rows: Path, songs: Path, settings: RecordingLimits, code: str, ledger: Path
) -> None:
    """Write the ledger, with the rows in it: songs that cannot be read are out, with the reason."""

    def work(_, song, folder):
        expected = header_seconds(song.audio) if Path(song.audio).is_file() else None
        if expected is not None:
            settings.check(expected)  # before a long one is read
        sound, rate = read_recording(song.audio, settings.longest + 1)
        settings.check(sound.shape[1] / rate)
        return {"seconds": sound.shape[1] / rate, "rate": rate}

    table = parquet.read_table(rows)
    table["key"] = table["audio"].map(hashes.hash_if_present)
    outcomes = BatchRunner("read_scored", songs, code, asdict(settings)).run(table, work)
    # `separate_stems` looks for stems that songs come with: these have none.
    table = table.assign(vocals="", accompaniment="")
    parquet.write_table(outcomes.drop(columns="key").merge(table, on="song"), ledger)


if __name__ == "__main__":
    command.run(read_scored)
