"""One table of all recordings of the corpus."""

from pathlib import Path

from rasen import command, tables


def gather_recordings(batches: int, results: Path, recordings: Path):
    """Write the rows of the batches 00000, 00001, ... below each other."""
    ledgers = (
        results / f"batches/measure_recordings/{batch:05d}.parquet" for batch in range(batches)
    )
    tables.write(tables.gather(ledgers).drop(columns="files"), recordings)


if __name__ == "__main__":
    command.run(gather_recordings)
