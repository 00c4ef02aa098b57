"""Gather the losses of all layers at all points into one table."""

from pathlib import Path

from rasen import command
from rasen.io import parquet


def gather_lens(rows: list[Path], points: Path, table: Path) -> None:
    """One row per model, route, point, position, layer and group (codebooks, and their mean)."""
    whole = parquet.read_table(points).merge(parquet.read_tables(rows), on=["model", "point"])
    first = ["model", "route", "point", "position", "layer", "group"]
    parquet.write_table(whole[[*first, *whole.columns.drop(first)]], table)


if __name__ == "__main__":
    command.run(gather_lens)
