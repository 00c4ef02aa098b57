"""Write a sheet of features to be labelled by hand."""

from pathlib import Path

from rasen import command, tables
from rasen.sae import features


def write_sheet(examples: list[Path], seed: int, sheet: Path):
    """A hundred features a point, drawn by the seed, with their examples and an empty column."""
    features.sheet.write(tables.gather(examples), sheet, seed)


if __name__ == "__main__":
    command.run(write_sheet)
