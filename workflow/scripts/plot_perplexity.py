"""Draw the perplexity of one model along its routes."""

from pathlib import Path

from rasen import command
from rasen.figures.perplexity import draw_perplexity
from rasen.io import parquet


def plot_perplexity(table: Path, guessers: Path, model: str, figure: Path) -> None:
    """One page: alpha on the left, real training steps on the right, one log axis for both."""
    wanted = [("model", "==", model), ("group", "==", "mean")]
    rows, guessed = parquet.read_table(table, wanted), parquet.read_table(guessers, wanted)
    draw_perplexity(rows, guessed, figure)


if __name__ == "__main__":
    command.run(plot_perplexity)
