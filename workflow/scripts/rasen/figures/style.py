"""The style of all figures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

# Okabe and Ito's colours, distinct in every type of colour vision.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, PALE = "#999999", "#dddddd"
VALUES = matplotlib.colormaps["viridis"]  # of maps: dark to light in every type of colour vision
WIDTH = 7.0  # inches, a page's text width
PANEL, SMALL = 9, 7.5  # sizes of the titles of panels; of ticks, legends and notes
NOTE, LETTERS = "#444444", 124  # of notes: colour, and letters that fit into a line
DARK = 0.55  # shares of the colour map below it need white letters

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
    figure.supxlabel(fill(text, LETTERS), x=0.01, ha="left", fontsize=SMALL, color=NOTE)


def key(figure: Figure, handles: Sequence[Artist], text: str, columns: int = 4) -> None:
    """The marks with their names at the bottom, and above them what else there is to know."""
    legend = figure.legend(
        handles=handles, loc="outside lower left", ncols=columns, fontsize=SMALL,
        title=fill(text, LETTERS), title_fontsize=SMALL, alignment="left", columnspacing=1.2,
        handlelength=1.4,
    )  # fmt: skip
    legend.get_title().set_color(NOTE)


def short(value: float) -> str:
    """.52 for 0.5213, 1.07 for 1.0711."""
    return f"{value:.2f}".removeprefix("0")


def write_values(
    axis: Axes, values: np.ndarray, colours: Normalize, say: Callable[[float], str] = short
) -> None:
    """The numbers of a map [rows, columns] in its cells, in white on dark ones."""
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            axis.text(
                x + 0.5, y + 0.5, say(value), ha="center", va="center", fontsize=6.5,
                color="white" if colours(value) < DARK else BLACK,
            )  # fmt: skip


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure without a date, so that equal data give equal bytes."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
