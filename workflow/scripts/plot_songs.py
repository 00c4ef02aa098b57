"""Draw what became of the songs of the corpus."""

from pathlib import Path

from rasen import command
from rasen.figures.songs import draw
from rasen.io import parquet


def plot_songs(songs: Path, quarantine: Path, filters: dict, figure: Path):
    """One page: outcomes on the left, how well lyrics were found on the right."""
    draw(parquet.read_table(songs), parquet.read_table(quarantine), filters, figure)


if __name__ == "__main__":
    command.run(plot_songs)
