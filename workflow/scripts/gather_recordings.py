"""One table of all recordings of the corpus."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.songs import layout


def gather_recordings(batches: int, results: Path, recordings: Path) -> None:
    """Write the rows of the ledgers of all batches as one table."""
    ledgers = layout.ledgers(results, "measure_recordings", batches)
    parquet.write_table(parquet.read_tables(ledgers).drop(columns="files"), recordings)


if __name__ == "__main__":
    command.run(gather_recordings)
