"""Draw the perplexity of every layer of one model."""

from pathlib import Path

from rasen import command
from rasen.figures.lens import draw_lens
from rasen.io import parquet


def plot_lens(table: Path, model: str, figure: Path) -> None:
    """One panel a route, one line a point."""
    draw_lens(parquet.read_table(table).query("model == @model and group == 'mean'"), figure)


if __name__ == "__main__":
    command.run(plot_lens)
