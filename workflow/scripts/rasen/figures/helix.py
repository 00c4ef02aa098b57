"""The pitch helix along routes and through layers [interpolation paper, figures 1, 4 to 7]."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from rasen.figures.routes import (
    ALPHA,
    TRAINING_RUN,
    route_label,
    route_styles,
    set_step_axis,
)
from rasen.figures.style import (
    PANEL,
    RED,
    SMALL,
    VALUES,
    foot,
    head,
    page,
    save,
    short,
    write_values,
)

NEAR = 0.9  # where the panel near the trained end begins
MOST_ROWS = 30  # of a heat map that still has its numbers written in
MOST_LINES = 12  # that still have a legend and bands

BANDS = "Coloured bands: 95 % interval over instruments. "
RING = (
    "Red ring: these notes have an octave (verdict of the tests, false discovery rate of 5 % over "
    "the route). "
)
NULLS = (
    "Grey: keys in random order; beige: smooth paths without an octave (both of one fit, middle to "
    "95 % quantile). "
)
SOUND = "Arrows at the axis: the same notes without a network."


def draw_alpha(table: pd.DataFrame, model: str, path: Path) -> None:
    """Helicality of every layer against alpha: the whole route, and its end on a finer scale.

    table: rows of one model and set of notes of results/tables/helix.parquet; without a linear
    route, that is said
    """
    linear = table[table["route"] == "linear"]
    if linear.empty:
        return _draw_nothing(f"{model}: no linear route, so nothing against alpha", path)
    near = linear[linear["position"] >= NEAR]
    zoom = near["position"].nunique() > 2
    figure, axes = page(columns=1 + zoom, height=4.2)
    layers = sorted(linear["layer"].unique())
    colours = Normalize(0, max(1, max(layers)) * 1.08)  # the palest yellow is lost on white paper
    # intervals as bands would hide the rise on the finer scale, and each other of many layers
    few = len(layers) <= MOST_LINES
    between = (linear["position"] >= NEAR) & (linear["position"] < 1)
    whole = linear[~between] if zoom else linear  # rings of the right panel would hide each other
    for axis, panel, band in zip(axes[0], [whole, near], [0.06 * few, 0], strict=False):
        for layer in layers:
            rows = panel[panel["layer"] == layer].sort_values("position")
            _draw_line(
                axis, rows, VALUES(colours(layer)), label=f"{layer}", band=band, thin=not few
            )
        _ring_octaves(axis, panel, 8 if few else 5)
        axis.set_xlabel(ALPHA if axis is axes[0, 0] else r"$\alpha$")
    route_axis = axes[0, 0]
    _shade_nulls(route_axis, table, linear)
    _mark_baselines(route_axis, table)
    route_axis.set_ylabel("Helicality")
    route_axis.set_title("whole route", loc="left", fontsize=PANEL)
    if zoom:
        axes[0, 1].set_title("near the trained end (finer scale)", loc="left", fontsize=PANEL)
    _colour_bar(figure, axes, colours, "layer", ticks=MaxNLocator(integer=True))
    head(figure, f"{model}: Helicality of every layer along the straight line")
    foot(figure, f"Mean over instruments. {BANDS if few else ''}{RING}{NULLS}{SOUND}")
    save(figure, path)
    return None


def draw_routes(table: pd.DataFrame, model: str, path: Path) -> None:
    """Linear, gradient and control routes beside the real run: mean of layers, and the last one."""
    styles = route_styles(
        route for route in table["route"].unique() if route not in ("step", "baseline")
    )
    has_run = "step" in set(table["route"])
    network = table[table["features"] == "network"]
    keys = ["route", "position"]
    numbers = ["helicality", "low", "high", "smooth_50", "smooth_95"]
    last = network["layer"].max()
    panels = {
        "mean over layers": network.groupby(keys, as_index=False)[numbers].mean(),
        f"layer {last} (the last)": network[network["layer"] == last],
    }
    figure, axes = page(2, 1 + has_run, height=5.6, sharey="row", sharex="col")
    for row, (name, panel) in zip(axes, panels.items(), strict=True):
        for route, style in styles.items():
            rows = panel[panel["route"] == route].sort_values("position")
            _draw_line(row[0], rows, style.colour, style.line, style.marker, style.label)
        if has_run:
            rows = panel[panel["route"] == "step"].sort_values("position")
            run = TRAINING_RUN
            _draw_line(row[1], rows, run.colour, run.line, run.marker, run.label)
            row[1].set_xscale("symlog", linthresh=1, linscale=0.5)
        if name != "mean over layers":
            _ring_octaves(row[0], panel[panel["route"].isin(list(styles))], 7)
            _ring_octaves(row[-1], panel[panel["route"] == "step"], 7)
        for axis, routes in zip(row, (list(styles), ["step"]), strict=False):
            _shade_nulls(axis, table, panel[panel["route"].isin(routes)])
        row[0].set_ylabel("Helicality")
        row[0].set_title(name, loc="left", fontsize=PANEL)
    axes[-1, 0].set_xlabel(ALPHA)
    if has_run:
        set_step_axis(axes[-1, 1], table.loc[table["route"] == "step", "position"].max())
        axes[0, 1].set_title(TRAINING_RUN.label, loc="left", fontsize=PANEL)
    axes[0, 0].legend(fontsize=SMALL, loc="best")
    head(figure, f"{model}: Helicality along every route")
    foot(figure, f"Mean over instruments. {BANDS}{RING}{NULLS}".strip())
    save(figure, path)


def draw_layers(table: pd.DataFrame, model: str, path: Path) -> None:
    """Heat maps of Helicality: layers upward, points of the linear route and of the real run."""
    routes = [route for route in ("linear", "step") if route in set(table["route"])]
    if not routes:
        return _draw_nothing(f"{model}: no linear route and no training run", path)
    grids = [_layer_grid(table[table["route"] == route]) for route in routes]
    layers = len(grids[0][0])
    figure, axes = page(
        columns=len(routes), height=1.8 + min(6.0, 0.35 * layers), sharey=True,
        width_ratios=[grid.shape[1] for grid, _ in grids],
    )  # fmt: skip
    values = table.loc[table["features"] == "network", "helicality"]
    colours = Normalize(values.min(), values.max())
    for axis, route, (grid, octaves) in zip(axes[0], routes, grids, strict=True):
        axis.pcolormesh(grid.to_numpy(), cmap=VALUES, norm=colours)
        axis.set_title(route_label(route), loc="left", fontsize=PANEL)
        axis.grid(False)
        ticks = [f"{x:,.0f}" if route == "step" else f"{x:g}" for x in grid.columns]
        axis.set_xticks(np.arange(grid.shape[1]) + 0.5, ticks, fontsize=7.5)
        axis.set_xlabel("training step" if route == "step" else ALPHA)
        tick_step = -(-layers // MOST_ROWS)
        axis.set_yticks(np.arange(layers)[::tick_step] + 0.5, grid.index[::tick_step])
        if layers <= MOST_ROWS:
            write_values(axis, grid.to_numpy(), colours)
        y, x = np.nonzero(octaves.to_numpy())
        size, width = (19, 1.4) if layers <= MOST_ROWS else (5, 0.9)
        axis.plot(x + 0.5, y + 0.5, "o", ms=size, mfc="none", mec=RED, mew=width)
    axes[0, 0].set_ylabel("layer")
    _colour_bar(figure, axes, colours, "Helicality")
    head(figure, f"{model}: Helicality by layer and point")
    foot(figure, f"Mean over instruments. {RING.strip()}")
    save(figure, path)
    return None


def _draw_nothing(text, path):
    """A page that says why there is no figure: a rule's output has to exist."""
    figure, axes = page(height=1.2)
    axes[0, 0].set_axis_off()
    axes[0, 0].text(0, 0.5, text, va="center")
    save(figure, path)


def _draw_line(axis, rows, colour, line="-", marker="o", label=None, band=0.12, thin=False):
    x = rows["position"]
    if band:
        axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=band, linewidth=0)
    style = {"ms": 1.5, "lw": 0.7} if thin else {"ms": 3.5}
    axis.plot(x, rows["helicality"], line, color=colour, marker=marker, label=label, **style)


def _ring_octaves(axis, rows, size):
    """Red rings around points with the verdict octave."""
    octaves = rows[rows["verdict"] == "octave"]
    axis.plot(
        octaves["position"], octaves["helicality"], "o", ms=size, mfc="none", mec=RED, mew=1.0
    )


def _shade_nulls(axis, table, rows):
    """Light: smooth paths along the route, mean over layers. Dark: keys in random order."""
    paths = rows.groupby("position")[["smooth_50", "smooth_95"]].mean()
    axis.fill_between(
        paths.index, paths["smooth_50"], paths["smooth_95"], color="#e4dccb", lw=0, zorder=0.4
    )
    low, high = table["random_mean"].iloc[0], table["random_95"].iloc[0]
    if np.isfinite(low):
        axis.axhspan(low, high, color="#bbbbbb", lw=0, zorder=0.5)


def _mark_baselines(axis, table):
    """An arrow at the right axis for each kind of features without a network.

    Values off the scale, which is that of the model's layers, are written at its ends.
    """
    baselines = table[table["route"] == "baseline"].sort_values("helicality")
    bottom, top = axis.get_ylim()
    spacing = 0.075 * (top - bottom)  # labels must not overlap
    label_height = -np.inf
    for end, arrow, rows in (
        (0.0, "\N{DOWNWARDS ARROW}", baselines[baselines["helicality"] < bottom]),
        (1.0, "\N{UPWARDS ARROW}", baselines[baselines["helicality"] > top]),
    ):
        named = zip(rows["features"], rows["helicality"], strict=True)
        words = "\n".join(f"{arrow} {name} {short(height)}" for name, height in named)
        if words:
            axis.text(
                1.02, end, words, transform=axis.transAxes, va="top" if end else "bottom",
                fontsize=SMALL,
            )  # fmt: skip
    inside = baselines[baselines["helicality"].between(bottom, top)]
    for name, height in zip(inside["features"], inside["helicality"], strict=True):
        label_height = max(height, label_height + spacing)
        axis.annotate(
            f"{name} {short(height)}", (1, height), (1.06, label_height),
            xycoords=("axes fraction", "data"), textcoords=("axes fraction", "data"), va="center",
            fontsize=SMALL, annotation_clip=False,
            arrowprops={"arrowstyle": "-|>", "lw": 0.7, "color": "black", "shrinkB": 0},
        )  # fmt: skip
    axis.set_ylim(bottom, top)


def _layer_grid(rows):
    """Helicality, and whether the verdict is octave: two tables [layer, position]."""
    rows = rows.assign(is_octave=rows["verdict"] == "octave")
    helicality = rows.pivot(index="layer", columns="position", values="helicality")
    return helicality, rows.pivot(index="layer", columns="position", values="is_octave")


def _colour_bar(figure, axes, colours, label, ticks=None):
    shades = ScalarMappable(colours, VALUES)
    bar = figure.colorbar(shades, ax=axes, label=label, aspect=30, ticks=ticks)
    bar.outline.set_visible(False)
