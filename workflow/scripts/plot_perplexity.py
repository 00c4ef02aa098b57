"""Draw the perplexity of one model along its routes."""

from pathlib import Path

from rasen import command
from rasen.figures.perplexity import draw_perplexity
from rasen.io import parquet


def plot_perplexity(table: Path, model: str, figure: Path) -> None:
    """One page: alpha on the left, real training steps on the right, one log axis for both."""
    rows = parquet.read_table(table).query("model == @model and group == 'mean'")
    draw_perplexity(rows, figure)


if __name__ == "__main__":
    command.run(plot_perplexity)
