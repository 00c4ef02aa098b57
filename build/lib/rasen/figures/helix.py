"""The pitch helix along a model's routes and through its layers [seed 000, figures 1, 4 to 7]."""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize

from rasen.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, page, save

STYLES = {"linear": (BLUE, "o", "-"), "gradient": (ORANGE, "s", "--"), "step": (BLACK, "o", "-")}
CONTROLS = [(SKY, "^", ":"), (RED, "v", ":"), (GREEN, "D", ":"), (PURPLE, "P", ":")]
LAYERS = colormaps["viridis"]  # dark to light, told apart by every kind of colour vision
CLASSES = ListedColormap(colormaps["twilight"](np.arange(12) / 12))  # pitch class goes round
ALPHA = r"$\alpha$ (0: untrained, 1: trained)"
NEAR = 0.9  # where the panel near the trained end begins
MOST_ROWS = 30  # of a heat map that still has its numbers written in


def draw_alpha(table, path):
    """Helicality of every layer against alpha: the whole route, and its end on a finer scale.

    table: rows of one model of results/tables/helix.parquet
    """
    linear = table[table["route"] == "linear"]
    near = linear[linear["position"] >= NEAR]
    zoom = near["position"].nunique() > 2
    figure, axes = page(columns=1 + zoom, height=3.8)
    layers = sorted(linear["layer"].unique())
    colours = Normalize(0, max(1, max(layers)) * 1.08)  # the palest yellow is lost on white paper
    for axis, part in zip(axes[0], [linear, near], strict=False):
        for layer in layers:
            rows = part[part["layer"] == layer].sort_values("position")
            bands = part is linear  # which would hide the rise on the finer scale
            _line(axis, rows, LAYERS(colours(layer)), label=f"{layer}", band=0.06 * bands)
        _rings(axis, part)
        axis.set_xlabel(ALPHA)
    whole = axes[0, 0]
    _nulls(whole, table)
    baselines = table[table["route"] == "baseline"].sort_values("helicality")
    for height in baselines["helicality"]:
        whole.axhline(height, color=BLACK, linestyle=":", linewidth=0.9)
    lowest, apart = -np.inf, 0.09 * np.ptp(whole.get_ylim())  # names of close lines make room
    for name, height in zip(baselines["features"], baselines["helicality"], strict=True):
        lowest = max(height, lowest + apart)
        at = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 7.5}
        whole.annotate(name.replace("-", "-\n").replace(" ", "\n"), (1.02, lowest), **at)
    whole.set_ylabel("Helicality")
    whole.set_title("whole route", loc="left", fontsize=9)
    if zoom:
        axes[0, 1].set_title("near the trained end (finer scale)", loc="left", fontsize=9)
    if len(layers) > 12:
        _bar(figure, axes, LAYERS, colours, "layer")
    else:
        _legend(figure, whole, title="layer")
    save(figure, path)


def draw_routes(table, path):
    """Linear, gradient and control routes beside the real run: mean of layers, and the last one."""
    walks = [each for each in table["route"].unique() if each not in ("step", "baseline")]
    real = "step" in set(table["route"])
    network = table[table["features"] == "network"]
    keys = ["route", "position"]
    numbers = ["helicality", "low", "high"]
    last = network["layer"].max()
    parts = {
        "mean over layers": network.groupby(keys, as_index=False)[numbers].mean(),
        f"layer {last} (the last)": network[network["layer"] == last],
    }
    figure, axes = page(2, 1 + real, height=5.0, sharey="row", sharex="col")
    for row, (name, part) in zip(axes, parts.items(), strict=True):
        controls = iter(CONTROLS * len(walks))
        for route in walks:
            colour, marker, line = STYLES[route] if route in STYLES else next(controls)
            rows = part[part["route"] == route].sort_values("position")
            label = {"linear": "linear", "gradient": "gradient-corrected"}.get(
                route, f"linear from {route.removeprefix('linear+')}"
            )
            _line(row[0], rows, colour, line, marker, label)
        if real:
            rows = part[part["route"] == "step"].sort_values("position")
            _line(row[1], rows, *STYLES["step"][::2], "o", "real training run")
            row[1].set_xscale("symlog", linthresh=1, linscale=0.5)
        for axis in row:
            _nulls(axis, table)
        row[0].set_ylabel("Helicality")
        row[0].set_title(name, loc="left", fontsize=9)
    axes[-1, 0].set_xlabel(ALPHA)
    if real:
        most = table.loc[table["route"] == "step", "position"].max()
        decades = [0, *(10**k for k in range(9) if 10**k <= most)]
        axes[-1, 1].set_xticks(decades, [f"{step:,}" for step in decades])
        axes[-1, 1].set(xlabel="training step", xlim=(-0.1, most * 1.4))
        axes[-1, 1].minorticks_off()
        axes[0, 1].set_title("real training run", loc="left", fontsize=9)
    _legend(figure, axes[0, 0])
    save(figure, path)


def draw_layers(table, path):
    """Heat maps of Helicality: layers upward, points of the linear route and of the real run."""
    routes = [route for route in ("linear", "step") if route in set(table["route"])]
    grids = [_grid(table[table["route"] == route]) for route in routes]
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
        every = -(-layers // MOST_ROWS)
        axis.set_yticks(np.arange(layers)[::every] + 0.5, grid.index[::every])
        if layers <= MOST_ROWS:
            _numbers(axis, grid.to_numpy(), colours)
        y, x = np.nonzero(octaves.to_numpy())
        axis.plot(x + 0.5, y + 0.5, "o", ms=19, mfc="none", mec=RED, mew=1.4)
    axes[0, 0].set_ylabel("layer")
    _bar(figure, axes, LAYERS, colours, "Helicality")
    save(figure, path)


def draw_curves(curves, verdicts, path, columns=5):
    """Notes and fitted helix in 3D, one small picture a point of the linear route.

    curves: rows of one layer (of rasen.helix.layers.fit_layers) with column position;
    verdicts: {position: words}
    """
    positions = sorted(curves["position"].unique())
    columns = min(columns, len(positions))
    rows = -(-len(positions) // columns)
    height = 1.75 * rows + 0.8
    # the constrained layout would give half of the page to the empty corners of the cubes
    three = {"projection": "3d"}
    figure, axes = page(rows, columns, height=height, layout="none", subplot_kw=three)
    foot = 0.45 / height
    figure.subplots_adjust(0, foot + 0.3 / height, 1, 1 - 0.35 / height, wspace=0, hspace=0.2)
    for axis in axes.flat[len(positions) :]:
        axis.set_axis_off()
    far = np.nanmax(np.abs(curves[["note_x", "note_y", "note_z"]].to_numpy()), axis=0)
    across, up = far[:2].max(), far[2]  # one scale for all, so that circles are round
    for axis, position in zip(axes.flat, positions, strict=False):
        part = curves[curves["position"] == position].sort_values("key")
        notes = part[part["key"] % 1 == 0]
        axis.plot(notes["note_x"], notes["note_y"], notes["note_z"], color="#999999", lw=0.4)
        axis.plot(part["curve_x"], part["curve_y"], part["curve_z"], color=BLACK, lw=1.1)
        axis.scatter(
            notes["note_x"], notes["note_y"], notes["note_z"], c=notes["key"] % 12, s=11,
            cmap=CLASSES, vmin=-0.5, vmax=11.5, depthshade=False, edgecolors="#555555",
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
        ScalarMappable(Normalize(-0.5, 11.5), CLASSES), cax=figure.add_axes((0.2, foot, 0.6, 0.02)),
        ticks=range(12), orientation="horizontal",
    )  # fmt: skip
    bar.set_label("semitones above the lowest key, modulo 12")
    bar.outline.set_visible(False)
    save(figure, path)


def _line(axis, rows, colour, line="-", marker="o", label=None, band=0.12):
    x = rows["position"]
    if band:
        axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=band, linewidth=0)
    axis.plot(x, rows["helicality"], line, color=colour, marker=marker, ms=3.5, label=label)


def _legend(figure, axis, **options):
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), columnspacing=1.2, **options
    )


def _rings(axis, rows):
    found = rows[rows["verdict"] == "octave"]
    axis.plot(found["position"], found["helicality"], "o", ms=8, mfc="none", mec=RED, mew=1.2)


def _nulls(axis, table):
    """Grey: from the mean to the 95 % quantile of features in no order."""
    low, high = table["random_mean"].iloc[0], table["random_95"].iloc[0]
    axis.axhspan(low, high, color="#bbbbbb", alpha=0.7, linewidth=0, zorder=0.5)
    axis.annotate(
        "keys in no order", (0.99, high), xycoords=("axes fraction", "data"), fontsize=7,
        ha="right", va="bottom", color="#555555",
    )  # fmt: skip


def _grid(rows):
    shape = {"index": "layer", "columns": "position"}
    return (rows.pivot(values="helicality", **shape),
            rows.assign(yes=rows["verdict"] == "octave").pivot(values="yes", **shape))  # fmt: skip


def _numbers(axis, values, colours):
    for (y, x), value in np.ndenumerate(values):
        dark = colours(value) < 0.55
        axis.text(
            x + 0.5, y + 0.5, f"{value:.2f}".lstrip("0"), ha="center", va="center",
            fontsize=6.5, color="white" if dark else "black",
        )  # fmt: skip


def _bar(figure, axes, colormap, colours, label):
    bar = figure.colorbar(ScalarMappable(colours, colormap), ax=axes, label=label, aspect=30)
    bar.outline.set_visible(False)
