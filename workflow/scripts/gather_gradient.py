"""Gather the records of all gradient corrections."""

from pathlib import Path

from rasen import command, tables


def gather_gradient(losses: list[Path], points: Path, table: Path):
    """One row a model, point and step: eta, loss before and after, relative change of weights."""
    route = tables.read(points).query("route == 'gradient'")
    tables.write(route.merge(tables.gather(losses), on=["model", "point"]), table)


if __name__ == "__main__":
    command.run(gather_gradient)
