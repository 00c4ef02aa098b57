"""Figures of sparse autoencoders: how well they reconstruct, and their features along a route."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rasen.figures.routes import point_label
from rasen.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PANEL,
    PURPLE,
    RED,
    SKY,
    SMALL,
    VALUES,
    foot,
    head,
    key,
    page,
    save,
    write_values,
)

LANGUAGE = {"ja": BLUE, "mixed": PALE, "en": ORANGE, "neutral": GREY}
GRANULARITY = {"token": BLUE, "synonym": SKY, "meaning": GREEN, "unrelated": PALE}
NAMES = {"ja": "Japanese", "en": "English", "mixed": "both", "neutral": "neither"}
COLUMNS = [BLUE, ORANGE, GREEN, PURPLE, SKY, RED, "#F0E442", BLACK]
WIDE = 0.36  # of a bar, where two stand side by side
MOST_NUMBERED = 6  # steps of a flow with numbers in their bars
UNLABELLED = "unlabelled"
NORMALISATIONS = {"none": BLACK, "rms": SKY, "scalar": ORANGE, "standard": GREEN}


def draw_route(features: pd.DataFrame, what: str, path: Path) -> None:
    """Language tendency and semantic granularity along a route, stacked.

    what: model and layer, as in all of these figures
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
        axis.set_title(_plain(kind), loc="left", fontsize=PANEL)
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(
            handles[::-1], labels[::-1], loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=4,
            columnspacing=1.0, handlelength=1.2, fontsize=8,
        )  # fmt: skip
    axes[0, 0].set_ylabel("% of features")
    head(figure, f"{what}: the words that activate features")
    foot(figure, "Features of the main SAE that have enough examples. White lines: points.")
    save(figure, path)


def draw_grid(metrics: pd.DataFrame, what: str, path: Path) -> None:
    """Unexplained variance of ordinary rows, and dead features, by n/d and K.

    metrics: rows of rasen.sae.train with fixed kind and normalisation, of one point and layer
    """
    best = metrics[metrics["best"]] if "best" in metrics else metrics
    panels = {
        "fvu_normal": ("unexplained variance (FVU)", lambda x: f"{x:.3f}".removeprefix("0")),
        "dead": ("dead features", lambda x: f"{100 * x:.0f} %"),
    }
    figure, axes = page(columns=2, height=3.1, sharey=True)
    for axis, (column, (title, say)) in zip(axes[0], panels.items(), strict=True):
        grid = best.pivot_table(index="k", columns="expansion", values=column)
        colours = Normalize(0, np.nanmax(grid.to_numpy(), initial=1e-9))
        axis.pcolormesh(grid.to_numpy(), cmap=VALUES, norm=colours)
        axis.grid(False)
        axis.set_xticks(
            np.arange(grid.shape[1]) + 0.5, [f"{expansion:g}" for expansion in grid.columns]
        )
        axis.set_yticks(np.arange(grid.shape[0]) + 0.5, [f"{k:g}" for k in grid.index])
        axis.set_xlabel("features per dimension of the layer (n / d)")
        axis.set_title(title, loc="left", fontsize=PANEL)
        write_values(axis, grid.to_numpy(), colours, say)
    axes[0, 0].set_ylabel("features active\nin a frame (K)")
    head(figure, f"{what}: SAEs by size and sparsity")
    foot(
        figure,
        "Best learning rate of each. FVU: of frames that are no outliers. Dead: active in no test "
        "frame. Dark is less.",
    )
    save(figure, path)


def draw_dead(metrics: pd.DataFrame, what: str, path: Path) -> None:
    """Dead features and unexplained variance of every point, by the normalisation of the inputs.

    metrics: rows of rasen.sae.train with position (of the point), of one model and layer; alike
    in all but normalise
    """
    best = metrics[metrics["best"]] if "best" in metrics else metrics
    kinds = [kind for kind in NORMALISATIONS if (best["normalise"] == kind).any()]
    panels = {  # title: (column of the filled dots, of the hollow ones), what they are
        "dead features (%)": (
            ("dead", "dead_in_training"),
            "in test frames",
            "at the end of training",
        ),
        "unexplained variance (FVU)": (("fvu", "fvu_normal"), "of all frames", "without outliers"),
    }
    points = best.drop_duplicates("point").sort_values("position")["point"].tolist()
    figure, axes = page(columns=2, height=3.7)
    for axis, (title, (columns, filled, hollow)) in zip(axes[0], panels.items(), strict=True):
        factor = 100 if columns[0] == "dead" else 1
        for kind, shift in zip(kinds, 0.14 * _centred(len(kinds)), strict=True):
            rows = best[best["normalise"] == kind].drop_duplicates("point").set_index("point")
            ends = rows.reindex(points)[list(columns)].to_numpy() * factor
            x, colour = np.arange(len(points)) + shift, NORMALISATIONS[kind]
            axis.vlines(x, *ends.T, color=colour, lw=0.7)
            axis.plot(x, ends[:, 0], color=colour, lw=0.7, alpha=0.5)
            axis.scatter(x, ends[:, 0], color=colour, s=30, zorder=3)
            axis.scatter(x, ends[:, 1], c="white", edgecolors=colour, s=30, zorder=3)
        axis.set_xlim(-0.5, len(points) - 0.5)
        highest = np.nanmax(best[list(columns)].to_numpy(), initial=1e-9) * factor
        axis.set_ylim(0, 1.08 * highest)
        _point_ticks(axis, points)
        axis.set_title(title, loc="left", fontsize=PANEL)
        marks = [
            Line2D([], [], ls="", marker="o", color=GREY, mfc=face, label=name)
            for face, name in ((GREY, filled), ("white", hollow))
        ]
        axis.legend(handles=marks, fontsize=SMALL, loc="best")
    handles = [
        Line2D([], [], ls="", marker="o", color=NORMALISATIONS[kind], label=kind) for kind in kinds
    ]
    head(figure, f"{what}: what the normalisation of the frames does")
    key(figure, handles, "Colours: how frames are normalised before an SAE sees them.", len(kinds))
    save(figure, path)


def draw_label_counts(features: pd.DataFrame, what: str, path: Path, columns: int = 4) -> None:
    """How many features of a layer are named by each column of labels, at every point.

    features: as of `draw_labels`, of one layer
    """
    tested = features[features["p"].notna()]
    labelled = tested[tested["label"] != UNLABELLED]
    points = tested.drop_duplicates("point").sort_values("position")["point"].tolist()
    kinds = labelled["column"].value_counts().index.tolist()[::-1]  # the most frequent on top
    columns = min(columns, len(points))
    rows = -(-len(points) // columns)
    height = 1.2 + rows * (0.7 + 0.22 * max(2, len(kinds)))
    figure, axes = page(rows, columns, height=height, sharex=True, sharey=True)
    for axis in axes.flat[len(points) :]:
        axis.set_axis_off()
    most = labelled.groupby(["point", "column"]).size().max() if len(labelled) else 1
    for axis, point in zip(axes.flat, points, strict=False):
        at_point = labelled[labelled["point"] == point]
        for place, kind in enumerate(kinds):
            confirmed = at_point.loc[at_point["column"] == kind, "confirmed"].astype(bool)
            sure, count = int(confirmed.sum()), len(confirmed)
            axis.barh(place, sure, height=0.72, color=BLUE)
            axis.barh(place, count - sure, left=sure, height=0.72, color=SKY, alpha=0.6)
            axis.text(count + 0.02 * most, place, f"{count} ({sure})", va="center", fontsize=7)
        total = int((tested["point"] == point).sum())
        axis.set_title(f"{point_label(point)}\n{len(at_point)} of {total}", loc="left", fontsize=8)
        axis.set_yticks(range(len(kinds)), [_plain(kind) for kind in kinds], fontsize=8)
        axis.set_xlim(0, 1.35 * most)
        axis.grid(False)
    for axis in axes[-1]:
        axis.set_xlabel("features")
    head(figure, f"{what}: how many features a label of the clips names")
    marks = [
        Patch(color=BLUE, label="confirmed on held-out clips"),
        Patch(color=SKY, alpha=0.6, label="not confirmed"),
    ]
    key(
        figure, marks,
        "At the bars: labelled features (confirmed). Above: labelled features of those tested.",
    )  # fmt: skip
    save(figure, path)


def draw_labels(features: pd.DataFrame, what: str, path: Path, columns: int = 4) -> None:
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
    height = 1.4 + rows * max(1.4, 0.15 * len(layers))
    figure, axes = page(rows, columns, height=height, sharex=True, sharey=True)
    for axis in axes.flat[len(points) :]:
        axis.set_axis_off()
    for axis, point in zip(axes.flat, points, strict=False):
        for place, layer in enumerate(layers):
            rows_of_layer = tested[(tested["point"] == point) & (tested["layer"] == layer)]
            if len(rows_of_layer):
                _stack_labels(axis, place, rows_of_layer, colours)
        axis.set_title(point_label(point), loc="left", fontsize=PANEL)
        axis.grid(False)
        axis.set_yticks(range(len(layers)), layers, fontsize=6.5 if len(layers) > 12 else 8)
        axis.set_ylim(-0.6, len(layers) - 0.4)
    for axis in axes[:, 0]:
        axis.set_ylabel("layer")
    for axis in axes[-1]:
        axis.set_xlabel("% of features")
    marks: list[Artist] = [
        Line2D([], [], ls="", marker="s", ms=8, color=colour, label=_plain(kind))
        for kind, colour in colours.items()
    ]
    marks.append(Patch(facecolor=PALE, edgecolor="white", hatch="/////", label="not confirmed"))
    head(figure, f"{what}: features that a label of the clips names, by layer")
    key(figure, marks, "Share of the features tested, by what names them; hatched where held-out "
        "clips do not confirm it.", 6)  # fmt: skip
    save(figure, path)


def draw_flow(flows: pd.DataFrame, seeds: pd.DataFrame, what: str, path: Path) -> None:
    """Two stacked bars for every step: what becomes of the features of a point, and where those of
    the next one come from.

    flows: a row per step with point, following, before, after, matched, births, deaths (and
    matched_low, matched_high), in the order of the route; of one model, route and layer
    seeds: a row per point and two seeds with point, share: what matches where nothing changed
    """
    figure, axes = page(height=4.2)
    axis = axes[0, 0]
    numbered = len(flows) <= MOST_NUMBERED
    least = 0.04 * flows[["before", "after"]].to_numpy().max()  # that a number fits into
    by_seed = seeds.groupby("point")["share"].mean()
    for place, row in enumerate(flows.itertuples()):
        for x, point, total, colour, lost in (
            (place - WIDE / 2, row.point, row.before, RED, row.deaths),
            (place + WIDE / 2, row.following, row.after, BLUE, row.births),
        ):
            axis.bar(x, row.matched, WIDE, color=PALE, ec="white")
            axis.bar(x, lost, WIDE, bottom=row.matched, color=colour, ec="white")
            if numbered:
                for y, count, ink in (
                    (row.matched / 2, row.matched, BLACK),
                    (row.matched + lost / 2, lost, "white"),
                ):
                    if count > least:
                        axis.text(
                            x, y, f"{count:,}", ha="center", va="center", fontsize=8, color=ink
                        )
            if point in by_seed.index:
                ends = (x - WIDE / 2, x + WIDE / 2)
                axis.hlines(by_seed[point] * total, *ends, color=BLACK, lw=1.4, ls="--", zorder=4)
        if getattr(row, "matched_high", np.nan) > getattr(row, "matched_low", np.nan):
            axis.vlines(place, row.matched_low, row.matched_high, color=GREEN, lw=3, zorder=5)
    names = [
        f"{point_label(row.point)} \N{RIGHTWARDS ARROW}\n{point_label(row.following)}"
        for row in flows.itertuples()
    ]
    tilted = {} if numbered else {"rotation": 45, "ha": "right"}
    axis.set_xticks(range(len(names)), names, fontsize=SMALL, **tilted)
    axis.grid(False, axis="x")
    axis.set_ylabel("features that are active")
    handles: list[Artist] = [
        Patch(color=PALE, label="at both points (matched)"),
        Patch(color=RED, label="only before: died"),
        Patch(color=BLUE, label="only after: born"),
    ]
    said = "Left bar: the point before; right bar: the point after."
    if len(by_seed):
        handles.append(
            Line2D([], [], ls="--", color=BLACK, label="matched between two seeds at one point")
        )
        said += " At the dashed line, the changes are no more than the seed's."
    if "matched_low" in flows and flows["matched_low"].notna().any():
        handles.append(Line2D([], [], lw=3, color=GREEN, label="matched, of all seeds"))
    head(figure, f"{what}: features that go on, die and are born")
    key(figure, handles, said, 3)
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


def _shares(rows, kind, classes):
    """Shares [points, classes] in the order of the route, and the points."""
    order = rows.drop_duplicates("point").sort_values("position")["point"].tolist()
    counts = rows.groupby(["point", kind]).size().unstack(fill_value=0)
    counts = counts.reindex(index=order, columns=classes, fill_value=0).to_numpy(float)
    return counts / counts.sum(1, keepdims=True), order


def _point_ticks(axis, points):
    names = [point_label(point) for point in points]
    axis.set_xticks(range(len(points)), names, rotation=30, ha="right", fontsize=SMALL)


def _centred(count):
    """`count` places with distance 1 about 0."""
    return np.arange(count) - (count - 1) / 2


def _plain(name):
    return name.replace("_", " ")
