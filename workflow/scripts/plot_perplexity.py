"""Draw the perplexity of one model along its routes."""

from pathlib import Path

from rasen import command
from rasen.figures.perplexity import draw
from rasen.io import parquet


def plot_perplexity(table: Path, model: str, figure: Path):
    """One page: alpha on the left, real training steps on the right, one log axis for both."""
    draw(parquet.read_table(table).query("model == @model and group == 'mean'"), figure)


if __name__ == "__main__":
    command.run(plot_perplexity)
