"""Draw the losses of a training run."""

from pathlib import Path

from rasen import command
from rasen.figures.training import draw_training
from rasen.io import parquet


def plot_training(table: Path, run: str, figure: Path) -> None:
    """Sketch and flow side by side, training and validation."""
    rows = parquet.read_table(table)
    draw_training(rows[rows["run"] == run], run, figure)


if __name__ == "__main__":
    command.run(plot_training)
