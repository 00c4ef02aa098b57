"""Gather the generated songs of all runs and steps into one table."""

from pathlib import Path

from rasen import command
from rasen.io import parquet


def gather_generated(rows: list[Path], table: Path) -> None:
    """One row per run, step, song and seed."""
    parquet.write_table(parquet.read_tables(rows), table)


if __name__ == "__main__":
    command.run(gather_generated)
