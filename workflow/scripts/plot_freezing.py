"""Draw what training the layers above k is worth."""

from pathlib import Path

from rasen import command
from rasen.figures.freezing import draw_freezing
from rasen.io import parquet


def plot_freezing(table: Path, model: str, figure: Path) -> None:
    """One panel per task: value against k, beside ridge on the untouched network."""
    draw_freezing(parquet.read_table(table).query("model == @model"), model, figure)


if __name__ == "__main__":
    command.run(plot_freezing)
