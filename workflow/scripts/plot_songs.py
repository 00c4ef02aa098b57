"""Draw the outcomes of the songs of the corpus."""

from pathlib import Path

from rasen import command
from rasen.figures.songs import draw_songs
from rasen.io import parquet
from rasen.songs.index import Filters


def plot_songs(songs: Path, quarantine: Path, filters: Filters, figure: Path) -> None:
    """One page: outcomes on the left, how well lyrics were found on the right."""
    accepted, rejected = parquet.read_table(songs), parquet.read_table(quarantine)
    draw_songs(accepted, rejected, filters.match, filters.score, figure)


if __name__ == "__main__":
    command.run(plot_songs)
