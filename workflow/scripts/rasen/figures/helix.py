"""The pitch helix along routes and through layers [interpolation paper, figures 1, 4 to 7]."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize

from rasen.figures.routes import ALPHA, TRAINING_RUN, route_styles, set_step_axis
from rasen.figures.style import BLACK, RED, page, save

LAYERS = colormaps["viridis"]  # dark to light, distinct in every type of colour vision
PITCH_CLASSES = ListedColormap(colormaps["twilight"](np.arange(12) / 12))  # a cyclic map
NEAR = 0.9  # where the panel near the trained end begins
MOST_ROWS = 30  # of a heat map that still has its numbers written in


def draw_alpha(table: pd.DataFrame, path: Path) -> None:
    """Helicality of every layer against alpha: the whole route, and its end on a finer scale.

    table: rows of one model of results/tables/helix.parquet
    """
    linear = table[table["route"] == "linear"]
    near = linear[linear["position"] >= NEAR]
    zoom = near["position"].nunique() > 2
    figure, axes = page(columns=1 + zoom, height=3.8)
    layers = sorted(linear["layer"].unique())
    colours = Normalize(0, max(1, max(layers)) * 1.08)  # the palest yellow is lost on white paper
    # intervals as bands would hide the rise on the finer scale
    for axis, panel, band in zip(axes[0], [linear, near], [0.06, 0], strict=False):
        for layer in layers:
            rows = panel[panel["layer"] == layer].sort_values("position")
            _draw_line(axis, rows, LAYERS(colours(layer)), label=f"{layer}", band=band)
        _ring_octaves(axis, panel)
        axis.set_xlabel(ALPHA)
    route_axis = axes[0, 0]
    _shade_random_order(route_axis, table)
    baselines = table[table["route"] == "baseline"].sort_values("helicality")
    for height in baselines["helicality"]:
        route_axis.axhline(height, color=BLACK, linestyle=":", linewidth=0.9)
    label_height, spacing = -np.inf, 0.09 * np.ptp(route_axis.get_ylim())  # labels must not overlap
    for name, height in zip(baselines["features"], baselines["helicality"], strict=True):
        label_height = max(height, label_height + spacing)
        route_axis.annotate(
            name.replace("-", "-\n").replace(" ", "\n"), (1.02, label_height),
            xycoords=("axes fraction", "data"), va="center", fontsize=7.5,
        )  # fmt: skip
    route_axis.set_ylabel("Helicality")
    route_axis.set_title("whole route", loc="left", fontsize=9)
    if zoom:
        axes[0, 1].set_title("near the trained end (finer scale)", loc="left", fontsize=9)
    if len(layers) > 12:
        _colour_bar(figure, axes, LAYERS, colours, "layer")
    else:
        _legend(figure, route_axis, title="layer")
    save(figure, path)


def draw_routes(table: pd.DataFrame, path: Path) -> None:
    """Linear, gradient and control routes beside the real run: mean of layers, and the last one."""
    styles = route_styles(
        route for route in table["route"].unique() if route not in ("step", "baseline")
    )
    has_run = "step" in set(table["route"])
    network = table[table["features"] == "network"]
    keys = ["route", "position"]
    numbers = ["helicality", "low", "high"]
    last = network["layer"].max()
    panels = {
        "mean over layers": network.groupby(keys, as_index=False)[numbers].mean(),
        f"layer {last} (the last)": network[network["layer"] == last],
    }
    figure, axes = page(2, 1 + has_run, height=5.0, sharey="row", sharex="col")
    for row, (name, panel) in zip(axes, panels.items(), strict=True):
        for route, style in styles.items():
            rows = panel[panel["route"] == route].sort_values("position")
            _draw_line(row[0], rows, style.colour, style.line, style.marker, style.label)
        if has_run:
            rows = panel[panel["route"] == "step"].sort_values("position")
            run = TRAINING_RUN
            _draw_line(row[1], rows, run.colour, run.line, run.marker, run.label)
            row[1].set_xscale("symlog", linthresh=1, linscale=0.5)
        for axis in row:
            _shade_random_order(axis, table)
        row[0].set_ylabel("Helicality")
        row[0].set_title(name, loc="left", fontsize=9)
    axes[-1, 0].set_xlabel(ALPHA)
    if has_run:
        set_step_axis(axes[-1, 1], table.loc[table["route"] == "step", "position"].max())
        axes[0, 1].set_title("real training run", loc="left", fontsize=9)
    _legend(figure, axes[0, 0])
    save(figure, path)


def draw_layers(table: pd.DataFrame, path: Path) -> None:
    """Heat maps of Helicality: layers upward, points of the linear route and of the real run."""
    routes = [route for route in ("linear", "step") if route in set(table["route"])]
    grids = [_layer_grid(table[table["route"] == route]) for route in routes]
    layers = len(grids[0][0])
    figure, axes = page(
        columns=len(routes), height=1.2 + min(5.0, 0.35 * layers), sharey=True,
        width_ratios=[grid.shape[1] for grid, _ in grids],
    )  # fmt: skip
    values = table.loc[table["features"] == "network", "helicality"]
    colours = Normalize(values.min(), values.max())
    for axis, route, (grid, octaves) in zip(axes[0], routes, grids, strict=True):
        axis.pcolormesh(grid.to_numpy(), cmap=LAYERS, norm=colours)
        axis.grid(False)
        ticks = [f"{x:,.0f}" if route == "step" else f"{x:g}" for x in grid.columns]
        axis.set_xticks(np.arange(grid.shape[1]) + 0.5, ticks, fontsize=7.5)
        axis.set_xlabel("training step" if route == "step" else r"$\alpha$")
        tick_step = -(-layers // MOST_ROWS)
        axis.set_yticks(np.arange(layers)[::tick_step] + 0.5, grid.index[::tick_step])
        if layers <= MOST_ROWS:
            _write_values(axis, grid.to_numpy(), colours)
        y, x = np.nonzero(octaves.to_numpy())
        axis.plot(x + 0.5, y + 0.5, "o", ms=19, mfc="none", mec=RED, mew=1.4)
    axes[0, 0].set_ylabel("layer")
    _colour_bar(figure, axes, LAYERS, colours, "Helicality")
    save(figure, path)


def draw_curves(
    curves: pd.DataFrame, verdicts: Mapping[float, str], path: Path, columns: int = 5
) -> None:
    """Notes and fitted helix in 3D, one small picture per point of the linear route.

    curves: rows of one layer (of rasen.helix.layers.fit_layers) with column position;
    verdicts: {position: verdict in words}
    """
    positions = sorted(curves["position"].unique())
    columns = min(columns, len(positions))
    rows = -(-len(positions) // columns)
    height = 1.75 * rows + 0.8
    # the constrained layout would give half of the page to the empty corners of the cubes
    in_3d = {"projection": "3d"}
    figure, axes = page(rows, columns, height=height, layout="none", subplot_kw=in_3d)
    bottom = 0.45 / height
    figure.subplots_adjust(0, bottom + 0.3 / height, 1, 1 - 0.35 / height, wspace=0, hspace=0.2)
    for axis in axes.flat[len(positions) :]:
        axis.set_axis_off()
    extent = np.nanmax(np.abs(curves[["note_x", "note_y", "note_z"]].to_numpy()), axis=0)
    across, up = extent[:2].max(), extent[2]  # one scale for all, so that circles are round
    for axis, position in zip(axes.flat, positions, strict=False):
        curve = curves[curves["position"] == position].sort_values("key")
        notes = curve[curve["key"] % 1 == 0]
        axis.plot(notes["note_x"], notes["note_y"], notes["note_z"], color="#999999", lw=0.4)
        axis.plot(curve["curve_x"], curve["curve_y"], curve["curve_z"], color=BLACK, lw=1.1)
        axis.scatter(
            notes["note_x"], notes["note_y"], notes["note_z"], c=notes["key"] % 12, s=11,
            cmap=PITCH_CLASSES, vmin=-0.5, vmax=11.5, depthshade=False, edgecolors="#555555",
            linewidths=0.3,
        )  # fmt: skip
        axis.set(xlim=(-across, across), ylim=(-across, across), zlim=(-up, up))
        axis.set_box_aspect((across, across, up), zoom=1.15)
        axis.view_init(elev=18, azim=-60)
        for side in (axis.xaxis, axis.yaxis, axis.zaxis):
            side.set_ticklabels([])
            side.set_tick_params(length=0)
            side.pane.set_facecolor("white")
            side._axinfo["grid"].update(color="#e8e8e8", linewidth=0.4)
        axis.set_title(
            f"$\\alpha$ = {position:g}\n{verdicts.get(position, '')}", fontsize=8, y=0.94
        )
    bar = figure.colorbar(
        ScalarMappable(Normalize(-0.5, 11.5), PITCH_CLASSES), ticks=range(12),
        cax=figure.add_axes((0.2, bottom, 0.6, 0.02)), orientation="horizontal",
    )  # fmt: skip
    bar.set_label("semitones above the lowest key, modulo 12")
    bar.outline.set_visible(False)
    save(figure, path)


def _draw_line(axis, rows, colour, line="-", marker="o", label=None, band=0.12):
    x = rows["position"]
    if band:
        axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=band, linewidth=0)
    axis.plot(x, rows["helicality"], line, color=colour, marker=marker, ms=3.5, label=label)


def _legend(figure, axis, **options):
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), columnspacing=1.2, **options
    )


def _ring_octaves(axis, rows):
    """Red rings around points with the verdict octave."""
    octaves = rows[rows["verdict"] == "octave"]
    axis.plot(octaves["position"], octaves["helicality"], "o", ms=8, mfc="none", mec=RED, mew=1.2)


def _shade_random_order(axis, table):
    """Grey: from the mean to the 95 % quantile of features in random order."""
    low, high = table["random_mean"].iloc[0], table["random_95"].iloc[0]
    axis.axhspan(low, high, color="#bbbbbb", alpha=0.7, linewidth=0, zorder=0.5)
    axis.annotate(
        "keys in no order", (0.99, high), xycoords=("axes fraction", "data"), fontsize=7,
        ha="right", va="bottom", color="#555555",
    )  # fmt: skip


def _layer_grid(rows):
    """Helicality, and whether the verdict is octave: two tables [layer, position]."""
    rows = rows.assign(is_octave=rows["verdict"] == "octave")
    helicality = rows.pivot(index="layer", columns="position", values="helicality")
    return helicality, rows.pivot(index="layer", columns="position", values="is_octave")


def _write_values(axis, values, colours):
    """The numbers of a heat map, in white on dark cells."""
    for (y, x), value in np.ndenumerate(values):
        dark = colours(value) < 0.55
        axis.text(
            x + 0.5, y + 0.5, f"{value:.2f}".lstrip("0"), ha="center", va="center",
            fontsize=6.5, color="white" if dark else "black",
        )  # fmt: skip


def _colour_bar(figure, axes, colormap, colours, label):
    bar = figure.colorbar(ScalarMappable(colours, colormap), ax=axes, label=label, aspect=30)
    bar.outline.set_visible(False)
