"""Draw what became of the songs of the corpus."""

from pathlib import Path

from rasen import command, tables
from rasen.figures.songs import draw


def plot_songs(songs: Path, quarantine: Path, filters: dict, figure: Path):
    """One page: outcomes on the left, how well lyrics were found on the right."""
    draw(tables.read(songs), tables.read(quarantine), filters, figure)


if __name__ == "__main__":
    command.run(plot_songs)
