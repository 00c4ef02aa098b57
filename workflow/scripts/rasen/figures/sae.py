"""Figures of sparse autoencoders: how well they reconstruct, and their features along a route."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rasen.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, page, save

GREY, PALE = "#999999", "#dddddd"
LANGUAGE = {"ja": BLUE, "mixed": PALE, "en": ORANGE, "neutral": GREY}
GRANULARITY = {"token": BLUE, "synonym": SKY, "meaning": GREEN, "unrelated": PALE}
NAMES = {"ja": "Japanese", "en": "English", "mixed": "both", "neutral": "neither"}
COLUMNS = [BLUE, ORANGE, GREEN, PURPLE, SKY, RED, "#F0E442", BLACK]
UNLABELLED = "unlabelled"
VALUES = colormaps["viridis"]
SHOWN_OF_MAP = 0.92  # the palest yellow is left out


def draw_route(features: pd.DataFrame, path: Path) -> None:
    """Language tendency and semantic granularity along a route, stacked.

    features: a row per feature with point, position, and language or granularity or both (missing
    where a feature has none); of one model, route and layer
    """
    kinds = [("language", LANGUAGE), ("granularity", GRANULARITY)]
    kinds = [(kind, colours) for kind, colours in kinds if kind in features]
    figure, axes = page(columns=len(kinds), height=3.1, sharey=True)
    for axis, (kind, colours) in zip(axes[0], kinds, strict=True):
        known = features[features[kind].isin(colours)]
        colours = {name: colours[name] for name in colours if (known[kind] == name).any()}
        shares, points = _shares(known, kind, list(colours))
        x = np.arange(len(points))
        layers = axis.stackplot(x, 100 * shares.T, colors=colours.values(), lw=0.6, ec="white")
        for layer, name in zip(layers, colours, strict=True):
            layer.set_label(NAMES.get(name, name))
        for measured in x:
            axis.axvline(measured, color="white", lw=0.6)
        axis.set(xlim=(0, max(1, len(x) - 1)), ylim=(0, 100))
        axis.grid(False)
        _point_ticks(axis, points)
        axis.set_title(_plain(kind), loc="left", fontsize=9)
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(
            handles[::-1], labels[::-1], loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=4,
            columnspacing=1.0, handlelength=1.2, fontsize=8,
        )  # fmt: skip
    axes[0, 0].set_ylabel("% of features")
    save(figure, path)


def draw_grid(metrics: pd.DataFrame, path: Path) -> None:
    """Unexplained variance of ordinary rows, and dead features, by n/d and K.

    metrics: rows of rasen.sae.train with fixed kind and normalisation, of one point and layer
    """
    best = metrics[metrics["best"]] if "best" in metrics else metrics
    panels = {"fvu_normal": "unexplained variance (FVU)", "dead": "dead features"}
    figure, axes = page(columns=2, height=2.9, sharey=True)
    for axis, (column, title) in zip(axes[0], panels.items(), strict=True):
        grid = best.pivot_table(index="k", columns="expansion", values=column)
        colours = Normalize(0, max(1e-9, np.nanmax(grid.to_numpy())))
        axis.pcolormesh(grid.to_numpy(), cmap=VALUES, norm=colours)
        axis.grid(False)
        axis.set_xticks(
            np.arange(grid.shape[1]) + 0.5, [f"{expansion:g}" for expansion in grid.columns]
        )
        axis.set_yticks(np.arange(grid.shape[0]) + 0.5, [f"{k:g}" for k in grid.index])
        axis.set_xlabel("n / d")
        axis.set_title(title, loc="left", fontsize=9)
        for (y, x), number in np.ndenumerate(grid.to_numpy()):
            if np.isfinite(number):
                dark = colours(number) < 0.55
                text = f"{number:.3f}".lstrip("0") if column != "dead" else f"{100 * number:.0f} %"
                axis.text(
                    x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=8,
                    color="white" if dark else "black",
                )  # fmt: skip
    axes[0, 0].set_ylabel("K")
    save(figure, path)


def draw_dead(metrics: pd.DataFrame, path: Path) -> None:
    """Dead features and unexplained variance, by the normalisation of the inputs.

    metrics: rows of rasen.sae.train with position (of the point), of one model and layer; alike
    in all but normalise
    """
    best = metrics[metrics["best"]] if "best" in metrics else metrics
    present = set(best["normalise"])
    kinds = [kind for kind in ("none", "rms", "scalar", "standard") if kind in present]
    panels = {
        "dead features (%)": ("dead", "dead_in_training", "held-out rows", "end of training"),
        "unexplained variance": ("fvu", "fvu_normal", "all rows", "without huge rows"),
    }
    positions = sorted(best["position"].unique())
    figure, axes = page(columns=2, height=3.2)
    for axis, (title, (first, second, *names)) in zip(axes[0], panels.items(), strict=True):
        factor = 100 if first == "dead" else 1
        for place, kind in enumerate(kinds):
            rows = best[best["normalise"] == kind].sort_values("position")
            shift = 0.5 * (np.linspace(-0.5, 0.5, len(rows)) if len(rows) > 1 else np.zeros(1))
            colours = [
                _colour_of_place(positions.index(position), positions)
                for position in rows["position"]
            ]
            options = {"s": 34, "edgecolors": colours, "zorder": 3}
            ends = rows[[first, second]].to_numpy() * factor
            axis.vlines(place + shift, *ends.T, color=GREY, lw=0.7)
            axis.scatter(place + shift, ends[:, 0], c=colours, **options)
            axis.scatter(place + shift, ends[:, 1], c="white", **options)
        axis.set_xticks(range(len(kinds)), kinds)
        axis.set_xlim(-0.6, len(kinds) - 0.4)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("normalisation")
        axis.set_title(title, loc="left", fontsize=9)
        marks = [
            Line2D([], [], ls="", marker="o", mec=GREY, mfc=fill, label=name)
            for fill, name in zip((GREY, "white"), names, strict=True)
        ]
        axis.legend(handles=marks, fontsize=7.5, handletextpad=0.2, loc="best")
    if len(positions) > 1:
        places = Normalize(0, (len(positions) - 1) / SHOWN_OF_MAP)
        bar = figure.colorbar(ScalarMappable(places, VALUES), ax=axes, aspect=30)
        bar.set_ticks(range(len(positions)), labels=[_number(position) for position in positions])
        bar.ax.set_ylim(0, len(positions) - 1)
        bar.set_label("position on the route")
        bar.outline.set_visible(False)
    save(figure, path)


def draw_labels(features: pd.DataFrame, path: Path, columns: int = 4) -> None:
    """The share of features that have a label, by layer and by the column of the label.

    features: a row per feature with point, position, layer, label, column, confirmed, and p
    (missing where a feature was not tested); labels not confirmed on held-out clips are hatched
    """
    tested = features[features["p"].notna()]
    points = tested.drop_duplicates("point").sort_values("position")["point"].tolist()
    kinds = tested.loc[tested["label"] != UNLABELLED, "column"].value_counts().index.tolist()
    colours = {
        kind: COLUMNS[place] if place < len(COLUMNS) else GREY for place, kind in enumerate(kinds)
    }
    layers = sorted(tested["layer"].unique())
    columns = min(columns, len(points))
    rows = -(-len(points) // columns)
    height = 1.0 + rows * max(1.4, 0.24 * len(layers))
    figure, axes = page(rows, columns, height=height, sharex=True, sharey=True)
    for axis in axes.flat[len(points) :]:
        axis.set_axis_off()
    for axis, point in zip(axes.flat, points, strict=False):
        for place, layer in enumerate(layers):
            rows_of_layer = tested[(tested["point"] == point) & (tested["layer"] == layer)]
            if len(rows_of_layer):
                _stack_labels(axis, place, rows_of_layer, colours)
        axis.set_title(point, loc="left", fontsize=9)
        axis.set_xlim(0, 100)
        axis.grid(False)
        axis.set_yticks(range(len(layers)), layers)
    for axis in axes[:, 0]:
        axis.set_ylabel("layer")
    for axis in axes[-1]:
        axis.set_xlabel("% of features")
    marks: list[Artist] = [
        Line2D([], [], ls="", marker="s", ms=8, color=colour, label=_plain(kind))
        for kind, colour in colours.items()
    ]
    marks += [
        Patch(facecolor=PALE, edgecolor="white", hatch="/////", label="not confirmed"),
        Line2D([], [], ls="", marker="s", ms=8, color="#eeeeee", label=UNLABELLED),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8)
    save(figure, path)


def draw_flow(flows: pd.DataFrame, path: Path) -> None:
    """Features from point to point: matched ones go on, others die or are born between.

    flows: a row per step with point, following, before, after, matched, births, deaths, in the
    order of the route; of one model, route and layer
    """
    figure, axes = page(height=3.2)
    axis = axes[0, 0]
    for place, row in enumerate(flows.itertuples()):
        left, middle, right = place + 0.06, place + 0.5, place + 0.94
        kept = row.matched
        axis.fill_between([left, right], 0, kept, color=PALE, lw=0)
        if kept:
            height = max(kept / 2, 0.03 * flows["before"].max())
            axis.text(middle, height, f"{kept:,}", ha="center", va="center", fontsize=8)
        for x, top, colour, hatch, share, where in (
            ([left, middle], row.before, RED, "\\\\\\\\", row.deaths, 0.28),
            ([right, middle], row.after, BLUE, "////", row.births, 0.72),
        ):
            axis.fill_between(
                x, [kept, kept], [top, kept], facecolor=colour, alpha=0.75, lw=0, hatch=hatch,
                edgecolor="white",
            )  # fmt: skip
            if share:
                height = kept + 0.62 * (top - kept)
                axis.text(place + where, height, f"{share:,}", ha="center", fontsize=8)
    totals = [*flows["before"], flows["after"].iloc[-1]]
    axis.bar(range(len(totals)), totals, width=0.12, color=BLACK)
    points = [*flows["point"], flows["following"].iloc[-1]]
    _point_ticks(axis, points)
    axis.grid(False, axis="x")
    axis.set_ylabel("features that fire")
    marks = [
        ("matched", PALE),
        ("born between the points", BLUE),
        ("died between the points", RED),
        ("all at a point", BLACK),
    ]
    handles = [Line2D([], [], ls="", marker="s", ms=8, color=c, label=name) for name, c in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    save(figure, path)


def _stack_labels(axis, place, rows, colours):
    """One bar at a place: the features of `rows` by the column of their label and by confirmed."""
    labelled = rows[rows["label"] != UNLABELLED]
    left = 0.0
    for confirmed in (True, False):
        look = {} if confirmed else {"alpha": 0.45, "hatch": "/////"}
        for kind, colour in colours.items():
            of_kind = (labelled["column"] == kind) & (labelled["confirmed"] == confirmed)
            width = 100 * of_kind.sum() / len(rows)
            axis.barh(place, width, left=left, height=0.8, color=colour, ec="white", lw=0.4, **look)
            left += width
    axis.barh(place, 100 - left, left=left, height=0.8, color="#eeeeee")


def _shares(rows, kind, classes):
    """Shares [points, classes] in the order of the route, and the points."""
    order = rows.drop_duplicates("point").sort_values("position")["point"].tolist()
    counts = rows.groupby(["point", kind]).size().unstack(fill_value=0)
    counts = counts.reindex(index=order, columns=classes, fill_value=0).to_numpy(float)
    return counts / counts.sum(1, keepdims=True), order


def _point_ticks(axis, points):
    axis.set_xticks(range(len(points)), points, rotation=30, ha="right", fontsize=7.5)


def _colour_of_place(place, positions):
    """Colour of the place-th position, dark to light."""
    return VALUES(SHOWN_OF_MAP * place / max(1, len(positions) - 1))


def _number(position):
    return f"{position:,.0f}" if position > 1 else f"{position:g}"


def _plain(name):
    return name.replace("_", " ")
