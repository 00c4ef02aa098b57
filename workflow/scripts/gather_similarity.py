"""Gather the similarities of all points into one table."""

from pathlib import Path

from rasen import command
from rasen.io import parquet


def gather_similarity(rows: list[Path], table: Path) -> None:
    """One row per pair of layers and measure."""
    parquet.write_table(parquet.read_tables(rows), table)


if __name__ == "__main__":
    command.run(gather_similarity)
