"""Perplexity along every route of one model [interpolation paper, figure 8], and its real run."""

import math
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from rasen.figures.routes import ALPHA, TRAINING_RUN, RouteStyle, route_styles, set_step_axis
from rasen.figures.style import NOTE, SMALL, foot, head, page, save


def draw_perplexity(table: pd.DataFrame, guessers: pd.DataFrame, path: Path) -> None:
    """Alpha on the left, training steps on the right, one logarithmic axis of perplexity.

    table: rows of one model: model, route, position, perplexity, low, high
    guessers: rows of what is drawn as lines across: guesser, perplexity, low, high
    """
    real_run = table[table["route"] == "step"]
    figure, axes = page(columns=1 + (len(real_run) > 0), sharey=True, height=3.4)
    axes = axes[0]
    styles = route_styles(route for route in table["route"].unique() if route != "step")
    for route, style in styles.items():
        _draw_route(axes[0], table[table["route"] == route], style)
    axes[0].set(xlabel=ALPHA, ylabel="perplexity")
    axes[0].set_yscale("log")
    if len(real_run):
        _draw_route(axes[1], real_run, TRAINING_RUN)
        set_step_axis(axes[1], real_run["position"].max())
    for axis in axes:
        for row in guessers.itertuples():
            axis.axhline(row.perplexity, color=NOTE, lw=0.8, ls=(0, (1, 2)), zorder=0)
        axis.legend(fontsize=SMALL)  # where it hides least of the line
    for place, row in enumerate(guessers.sort_values("perplexity").itertuples()):
        axes[-1].annotate(  # beside the line, apart also where two are equal
            f" {row.guesser}\n guesser", (1, row.perplexity), color=NOTE, fontsize=SMALL,
            xycoords=("axes fraction", "data"), va="bottom" if place else "top",
        )  # fmt: skip
    plain_ticks(axes[0], pd.concat([table, guessers]))
    head(figure, f"{table['model'].iloc[0]}: perplexity on held-out data along every route")
    foot(
        figure,
        "Bands: 95 % interval over clips. The lower, the better the model predicts. Dotted: who "
        "guesses without context: equal odds (uniform), or by how often tokens occur (unigram).",
    )
    save(figure, path)


def _draw_route(axis: Axes, rows: pd.DataFrame, style: RouteStyle) -> None:
    rows = rows.sort_values("position")
    x, colour = rows["position"], style.colour
    axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.2, linewidth=0)
    axis.plot(
        x, rows["perplexity"], style.line, color=colour, marker=style.marker, ms=4,
        label=style.label,
    )  # fmt: skip


def plain_ticks(axis: Axes, table: pd.DataFrame) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, written out; over many decades at powers alone."""
    low, high = table["low"].min() / 1.6, table["high"].max() * 1.6
    factors = (1, 2, 5) if high / low < 1e4 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    inside = [tick for tick in ticks if low <= tick <= high]
    axis.set_yticks(inside, [f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in inside])
    axis.minorticks_off()
