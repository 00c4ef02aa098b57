"""Gather the losses of all points into one table of perplexities."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.measure.summary import PerplexitySettings, summarise_losses


def gather_perplexity(
    losses: list[Path],
    guesses: list[Path],
    points: Path,
    settings: PerplexitySettings,
    seed: int,
    table: Path,
    guessers: Path,
) -> None:
    """One row per model, route, point and group (codebooks, and their mean), with its interval.

    guessers: the same per model, set of clips and guesser
    """

    def summaries(paths, keys):
        groups = parquet.read_tables(paths).groupby(keys, sort=False)
        # One seed for all: points are compared on the same resampled clips.
        tables = groups.apply(lambda rows: summarise_losses(rows, settings.bootstrap, seed))
        return tables.reset_index(level=keys)

    keys = ["model", "point"]
    of_points = parquet.read_table(points).merge(summaries(losses, keys), on=keys)
    parquet.write_table(of_points, table)
    parquet.write_table(summaries(guesses, ["model", "stimuli", "guesser"]), guessers)


if __name__ == "__main__":
    command.run(gather_perplexity)
