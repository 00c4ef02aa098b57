"""What each layer knows: profiles of tasks, what choosing a layer is worth, concepts along routes.

All take rows of one model of results/tables/probes.parquet, and show each task's first metric.
"""

from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from rasen.figures.routes import route_label
from rasen.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    SMALL,
    VALUES,
    foot,
    head,
    page,
    save,
)

COLUMNS = 3
SPLITS = ("given", "grouped")  # never the random one: it leaks
BASELINES = (ORANGE, GREEN, PURPLE, SKY)
DASHES = ((0, (5, 3)), (4, (5, 3)), (0, (2, 2)))  # two that coincide are both seen
NAMES = {
    "accuracy": "accuracy", "macro_f1": "macro-F1", "key_score": "weighted key score",
    "r2": "R²", "roc_auc": "ROC-AUC", "average_precision": "average precision",
    "beat_f": "beat F", "boundary_f_0.5": "boundary F, .5 s", "boundary_f_3": "boundary F, 3 s",
}  # fmt: skip
WORDS = {"last": "the last layer", "mix": "the mix of layers"}
NOT_LAYERS = ("network", "selected", "last", "mix")


def draw_profiles(table: pd.DataFrame, model: str, path: Path) -> None:
    """One panel per task: value against layer with its interval, chance, permuted labels, sound.

    table: rows of one point
    """
    tasks = _tasks(table)
    rows = -(-len(tasks) // COLUMNS)
    columns = min(COLUMNS, len(tasks))
    figure, axes = page(rows, columns, height=2.2 * rows + 0.8, sharex=True)
    baselines = _baselines(table)
    for axis, task in zip(axes.flat, tasks, strict=False):
        some = _of_task(table, task)
        layers = _layers(some)
        axis.fill_between(
            layers["layer"], layers["low"], layers["high"], color=BLUE, alpha=0.2, lw=0
        )
        axis.plot(layers["layer"], layers["value"], "o-", color=BLUE, ms=3, label="network")
        chosen = layers[layers["selected"] > 0]
        axis.scatter(
            chosen["layer"], chosen["value"], s=20 + 60 * chosen["selected"], facecolor="none",
            edgecolor=RED, label="chosen on inner folds",
        )  # fmt: skip
        for (name, colour), dashes in zip(baselines.items(), cycle(DASHES), strict=False):
            row = some[(some["features"] == name) & (some["row"] == "probe")]
            if len(row):
                axis.axhline(row["value"].iloc[0], color=colour, ls=dashes, lw=1.2, label=name)
        axis.axhline(layers["chance"].iloc[0], color=BLACK, ls=":", lw=1, label="chance")
        null = some[(some["row"] == "permuted") & (some["features"] == "network")]
        if len(null):
            null = null.sort_values("layer")
            axis.fill_between(
                null["layer"], null["low"], null["high"], color="#bbbbbb", lw=0, zorder=0.5,
                label="permuted labels",
            )  # fmt: skip
        _title(axis, task, layers)
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for axis in axes.flat[len(tasks) :]:
        axis.set_axis_off()
    for axis in _bottom(axes, len(tasks)):
        axis.set_xlabel("layer")
        axis.tick_params(labelbottom=True)
    labels: dict = {}
    for axis in axes.flat[: len(tasks)]:
        labels |= dict(zip(*axis.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(labels.values(), labels, loc="outside right upper", fontsize=SMALL)
    head(figure, f"{model}: what a {table['kind'].iloc[0]} probe reads from every layer")
    foot(
        figure,
        f"{_split_in_words(table)} Bands: 95 % interval over groups. Red ring: the layer is chosen "
        "on inner folds, the greater the more often. Dashed: read from the sound, no network.",
    )
    save(figure, path)


def draw_choice(table: pd.DataFrame, model: str, path: Path) -> None:
    """Best layer against last layer against mix, one line per task, with the differences.

    table: rows of one point
    """
    tasks = _tasks(table)
    figure, axes = page(1, 2, height=1.9 + 0.5 * len(tasks), sharey=True, width_ratios=[3, 2])
    kinds = [
        ("selected", "layer chosen on inner folds", BLUE, "o"),
        ("last", "last layer", ORANGE, "s"),
        ("mix", "learned mix of layers", GREEN, "D"),
    ]
    against = [("last", ORANGE, "s"), ("mix", GREEN, "D")]
    for place, task in enumerate(tasks):
        some = _of_task(table, task)
        for number, (features, label, colour, marker) in enumerate(kinds):
            row = some[(some["features"] == features) & (some["row"] == "probe")]
            if len(row):
                _bar(axes[0, 0], row.iloc[0], place + 0.2 * (number - 1), colour, marker,
                     label if place == 0 else None)  # fmt: skip
        chance = some["chance"][some["row"] == "probe"].iloc[0]
        axes[0, 0].plot([chance] * 2, [place - 0.35, place + 0.35], ":", color=BLACK, lw=1.2,
                        label="chance" if place == 0 else None)  # fmt: skip
        for number, (other, colour, marker) in enumerate(against):
            keep = (some["row"] == "difference") & (some["features"] == "selected")
            row = some[keep & (some["against"] == other)]
            if len(row):
                _bar(axes[0, 1], row.iloc[0], place + 0.24 * (number - 0.5), colour, marker,
                     f"minus {WORDS[other]}" if place == 0 else None)  # fmt: skip
    ticks = [_label(task, _of_task(table, task)) for task in tasks]
    axes[0, 0].set_yticks(range(len(tasks)), ticks)
    axes[0, 0].set_ylim(len(tasks) - 0.5, -0.5)
    axes[0, 0].set_xlabel("value")
    axes[0, 1].axvline(0, color=BLACK, lw=0.8)
    axes[0, 1].set_xlabel("chosen layer minus the other, paired")
    for axis in axes.flat:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.75 / len(tasks)), fontsize=SMALL)
    head(figure, f"{model}: what choosing a layer is worth")
    foot(figure, f"{_split_in_words(table)} Bars: 95 % interval over groups.")
    save(figure, path)


def draw_concepts(table: pd.DataFrame, model: str, path: Path) -> None:
    """Layer against position along every route, one panel per task and route."""
    network = table[(table["features"] == "network") & (table["row"] == "probe")]
    counts = network.groupby("route", sort=False)["position"].nunique()
    routes = list(counts.index[counts > 1]) or list(counts.index)
    tasks = _tasks(table)
    across = min(4, len(tasks))
    lines = [
        (route, tasks[start : start + across])
        for route in routes
        for start in range(0, len(tasks), across)
    ]
    figure, axes = page(len(lines), across, height=1.1 + 2.0 * len(lines), sharey=True)
    colours = Normalize(0, 1)
    for line, (route, some_tasks) in zip(axes, lines, strict=True):
        for axis in line[len(some_tasks) :]:
            axis.set_axis_off()
        for axis, task in zip(line, some_tasks, strict=False):
            rows = _of_task(network[network["route"] == route], task)
            share = (rows["value"] - rows["chance"]) / (1 - rows["chance"])
            grid = rows.assign(share=share).pivot(index="layer", columns="position", values="share")
            axis.pcolormesh(grid.to_numpy(dtype=float).clip(0), cmap=VALUES, norm=colours)
            axis.grid(False)
            _mark_highest(axis, grid)
            _grid_ticks(axis, grid, route)
            axis.set_title(_label(task, rows), loc="left", fontsize=8)
            axis.set_xlabel("training step" if route == "step" else r"$\alpha$", fontsize=8)
        line[0].set_ylabel(f"{route_label(route)}\nlayer")
    bar = figure.colorbar(
        ScalarMappable(colours, VALUES),
        ax=axes,
        label="share of the way from chance to 1",
        aspect=30,
    )
    bar.outline.set_visible(False)
    head(figure, f"{model}: which layer knows which concept, along its routes")
    foot(
        figure,
        f"Dot: the layer that knows most at this point (if above .05). {_split_in_words(table)}",
    )
    save(figure, path)


def _mark_highest(axis, grid):
    values = grid.to_numpy(dtype=float)
    best = np.nan_to_num(values, nan=-1).argmax(axis=0)
    for column, row in enumerate(best):
        if values[row, column] > 0.05:
            axis.plot(column + 0.5, row + 0.5, "o", ms=3, mfc="white", mec=BLACK, mew=0.5)


def _grid_ticks(axis, grid, route):
    step, up = -(-grid.shape[1] // 5), -(-grid.shape[0] // 8)
    names = [f"{x:,.0f}" if route == "step" else f"{x:g}" for x in grid.columns]
    axis.set_xticks(np.arange(grid.shape[1])[::step] + 0.5, names[::step], fontsize=7)
    axis.set_yticks(np.arange(grid.shape[0])[::up] + 0.5, list(grid.index)[::up], fontsize=7)


def _bar(axis, row, y, colour, marker, label):
    axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=1.6)
    axis.plot(row["value"], y, marker, color=colour, ms=5, label=label)


def _tasks(table):
    return list(table.loc[table["split"].isin(SPLITS), "task"].unique())


def _of_task(table, task):
    """Rows of a task and its first metric, without the split that leaks."""
    rows = table[(table["task"] == task) & table["split"].isin(SPLITS)]
    metric = rows.loc[rows["row"] == "probe", "metric"].iloc[0]
    return rows[rows["metric"] == metric]


def _layers(rows):
    keep = (rows["features"] == "network") & (rows["row"] == "probe")
    return rows[keep].sort_values("layer").astype({"layer": float})


def _baselines(table):
    names = [name for name in table["features"].unique() if name not in NOT_LAYERS]
    return {name: BASELINES[number % len(BASELINES)] for number, name in enumerate(names)}


def _label(task, rows, between="\n"):
    metric = rows.loc[rows["row"] == "probe", "metric"].iloc[0]
    return f"{task.replace('_', ' ')}{between}({NAMES.get(metric, metric)})"


def _title(axis, task, layers):
    axis.set_title(_label(task, layers), loc="left", fontsize=8.5)


def _bottom(axes, count):
    """The lowest panel of every column."""
    columns = axes.shape[1]
    return [axes[(count - 1 - column) // columns, column] for column in range(min(columns, count))]


def _split_in_words(table):
    given = "given" in set(table["split"])
    return "Official split." if given else "Whole groups are left out."
