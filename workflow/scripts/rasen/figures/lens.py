"""The perplexity of every layer of one model, a line for each point of a route."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from rasen.figures.perplexity import plain_ticks
from rasen.figures.routes import route_label
from rasen.figures.style import PANEL, SMALL, VALUES, foot, head, page, save

COLOURS = VALUES.reversed()


def draw_lens(table: pd.DataFrame, path: Path) -> None:
    """table: rows of one model: model, route, point, position, layer, perplexity, low, high."""
    counts = table.groupby("route", sort=False)["point"].nunique()
    routes = list(counts.index[counts > 1]) or list(counts.index)
    figure, axes = page(columns=len(routes), sharey=True, height=3.4)
    for axis, route in zip(axes[0], routes, strict=True):
        _draw_route(axis, table[table["route"] == route])
        axis.set_title(route_label(route), loc="left", fontsize=PANEL)
        axis.set_xlabel("layer")
    axes[0][0].set_ylabel("perplexity")
    axes[0][0].set_yscale("log")
    plain_ticks(axes[0][0], table)
    head(
        figure,
        f"{table['model'].iloc[0]}: perplexity of every layer, read by the model's own heads",
    )
    foot(
        figure,
        "Layer 0 enters the first block; the last layer's perplexity is the model's. "
        "Bands: 95 % interval over clips.",
    )
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
    name = "training step" if rows["route"].iloc[0] == "step" else r"$\alpha$"
    axis.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=SMALL, ncol=4, title=name,
        title_fontsize=SMALL, columnspacing=1, handlelength=1.2,
    )  # fmt: skip
