"""Write a sheet of features to be labelled by hand."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.sae.features.sheet import write_label_sheet


def write_sheet(examples: list[Path], seed: int, sheet: Path) -> None:
    """A hundred features per point, drawn by the seed, with examples and an empty column."""
    write_label_sheet(parquet.read_tables(examples), sheet, seed)


if __name__ == "__main__":
    command.run(write_sheet)
