"""Gather the losses of all points into one table of perplexities."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.measure.summary import PerplexitySettings, summarise_losses


def gather_perplexity(
    losses: list[Path], points: Path, settings: PerplexitySettings, seed: int, table: Path
) -> None:
    """One row per model, route, point and group (codebooks, and their mean), with its interval."""
    groups = parquet.read_tables(losses).groupby(["model", "point"], sort=False)
    # One seed for all: points are compared on the same resampled clips.
    summaries = groups.apply(lambda rows: summarise_losses(rows, settings.bootstrap, seed))
    summaries = summaries.reset_index(level=["model", "point"])
    parquet.write_table(parquet.read_table(points).merge(summaries, on=["model", "point"]), table)


if __name__ == "__main__":
    command.run(gather_perplexity)
