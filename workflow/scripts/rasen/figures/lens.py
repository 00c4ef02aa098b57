"""The perplexity of every layer of one model, a line for each point of a route."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from rasen.figures.routes import route_styles
from rasen.figures.style import foot, head, page, save

COLOURS = colormaps["viridis"].reversed()


def draw_lens(table: pd.DataFrame, path: Path) -> None:
    """table: rows of one model: model, route, point, position, layer, perplexity, low, high."""
    routes = list(table["route"].unique())
    figure, axes = page(columns=len(routes), sharey=True, height=3.1)
    labels = {"step": "real training run"} | {
        route: style.label for route, style in route_styles(routes).items() if route != "step"
    }
    for axis, route in zip(axes[0], routes, strict=True):
        _draw_route(axis, table[table["route"] == route])
        axis.set_title(labels[route], loc="left", fontsize=9)
        axis.set_xlabel("layer")
    axes[0][0].set_ylabel("perplexity, read by the model's own heads")
    axes[0][0].set_yscale("log")
    head(figure, f"{table['model'].iloc[0]}: what each layer would say")
    foot(figure, "layer 0 enters the first block; the last layer's perplexity is the model's; "
                 "bands: 95 % over clips")  # fmt: skip
    save(figure, path)


def _draw_route(axis: Axes, rows: pd.DataFrame) -> None:
    order = rows.drop_duplicates("point").sort_values("position")
    for place, row in zip(np.linspace(0.05, 1, len(order)), order.itertuples(), strict=True):
        of_point = rows[rows["point"] == row.point].sort_values("layer")
        colour = COLOURS(place)
        axis.fill_between(
            of_point["layer"], of_point["low"], of_point["high"], color=colour, alpha=0.15, lw=0
        )
        axis.plot(
            of_point["layer"], of_point["perplexity"], color=colour, marker="o", ms=2.5, lw=1.2,
            label=f"{row.position:g}",
        )  # fmt: skip
    axis.set_xticks(sorted(rows["layer"].unique()))
    axis.legend(fontsize=6.5, ncol=2, title="position", title_fontsize=7)
