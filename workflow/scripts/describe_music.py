"""Estimate tempo, key and loudness of every song of a batch."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.songs import ledger as ledgers
from rasen.songs import recording
from rasen.songs.music import describe_music as describe


def describe_music(recordings: Path, songs: Path, code: str, ledger: Path) -> None:
    """Write the ledger; a song has no files of this stage."""

    def work(_, song, folder):
        return describe(*recording.reread_recording(song.audio))

    runner = ledgers.BatchRunner("describe_music", songs, code, {})
    parquet.write_table(runner.run(ledgers.passed(songs, recordings), work), ledger)


if __name__ == "__main__":
    command.run(describe_music)
