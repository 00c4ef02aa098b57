"""Gather the losses of all points into one table of perplexities."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.measure.summary import summarise_losses


def gather_perplexity(losses: list[Path], points: Path, settings: dict, seed: int, table: Path):
    """One row a model, route, point and group (codebooks, and their mean), with its interval."""
    each = parquet.read_tables(losses).groupby(["model", "point"], sort=False)
    # One seed for all: points are compared on the same resampled clips.
    summaries = each.apply(lambda part: summarise_losses(part, settings["bootstrap"], seed))
    summaries = summaries.reset_index(level=["model", "point"])
    parquet.write_table(parquet.read_table(points).merge(summaries, on=["model", "point"]), table)


if __name__ == "__main__":
    command.run(gather_perplexity)
