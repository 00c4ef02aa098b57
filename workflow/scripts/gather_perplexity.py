"""Gather the losses of all points into one table of perplexities."""

from pathlib import Path

from rasen import command, tables
from rasen.perplexity import summary


def gather_perplexity(losses: list[Path], points: Path, settings: dict, seed: int, table: Path):
    """One row a model, route, point and group (codebooks, and their mean), with its interval."""
    each = tables.gather(losses).groupby(["model", "point"], sort=False)
    # One seed for all: points are compared on the same resampled clips.
    summaries = each.apply(lambda part: summary(part, settings["bootstrap"], seed))
    summaries = summaries.reset_index(level=["model", "point"])
    tables.write(tables.read(points).merge(summaries, on=["model", "point"]), table)


if __name__ == "__main__":
    command.run(gather_perplexity)
