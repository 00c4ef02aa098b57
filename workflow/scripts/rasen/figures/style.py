"""The style of all figures."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

# Okabe and Ito's colours, distinct in every type of colour vision.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
WIDTH = 7.0  # inches, a page's text width

SETTINGS = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: searchable, small
    "svg.hashsalt": "rasen",  # equal data give equal files
    "figure.constrained_layout.use": True,
}


def page(
    rows: int = 1, columns: int = 1, height: float = 3.0, **options: Any
) -> tuple[Figure, Any]:
    """A figure of text width and its array of axes [rows, columns]."""
    plt.rcParams.update(SETTINGS)
    return plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)


def head(figure: Figure, text: str) -> None:
    """What the figure shows and of which model, on top."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=9.5, fontweight="bold")


def foot(figure: Figure, text: str) -> None:
    """What the marks mean, at the bottom. Call it last: the layout has to make room for it."""
    figure.supxlabel(text, x=0.01, ha="left", fontsize=7.5, color="#444444")


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure without a date, so that equal data give equal bytes."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
