"""Gather the losses of all gradient corrections into one table."""

from pathlib import Path

from rasen import command
from rasen.io import parquet


def gather_gradient(losses: list[Path], points: Path, table: Path) -> None:
    """One row per model, route, point and step: its settings, loss before and after, change."""
    listed = parquet.read_table(points)
    routes = listed[listed["route"].str.match("gradient")]
    parquet.write_table(routes.merge(parquet.read_tables(losses), on=["model", "point"]), table)


if __name__ == "__main__":
    command.run(gather_gradient)
