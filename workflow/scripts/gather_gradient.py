"""Gather the losses of all gradient corrections into one table."""

from pathlib import Path

from rasen import command
from rasen.io import parquet


def gather_gradient(losses: list[Path], points: Path, table: Path) -> None:
    """One row per model, point and step: eta, loss before and after, relative change of weights."""
    route = parquet.read_table(points).query("route == 'gradient'")
    parquet.write_table(route.merge(parquet.read_tables(losses), on=["model", "point"]), table)


if __name__ == "__main__":
    command.run(gather_gradient)
