"""Gather the losses of all training runs into one table."""

from pathlib import Path

from rasen import command
from rasen.io import parquet


def gather_training(rows: list[Path], table: Path) -> None:
    """One row per run, step and split."""
    parquet.write_table(parquet.read_tables(rows), table)


if __name__ == "__main__":
    command.run(gather_training)
