"""What training the layers above k is worth: value against k, beside ridge on the same test folds.

Takes the rows of one model of results/tables/probes.parquet, and shows each task's first metric.
"""

from pathlib import Path

import pandas as pd
from matplotlib.ticker import MaxNLocator

from rasen.figures.probes import COLUMNS, NAMES
from rasen.figures.routes import point_label
from rasen.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, foot, head, page, save

COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)  # of points
REFERENCES = {"selected": "--", "last": "-."}
WORDS = {"selected": "ridge,\nlayer chosen on\ninner folds", "last": "ridge, last layer"}


def draw_freezing(table: pd.DataFrame, model: str, path: Path) -> None:
    """One panel per task: value against k at every point, ridge and chance as lines."""
    table = table.drop_duplicates([c for c in table if c not in ("route", "position")])
    trained = table[(table["features"] == "frozen") & (table["row"] == "probe")]
    tasks, points = list(trained["task"].unique()), list(trained["point"].unique())
    rows = -(-len(tasks) // COLUMNS)
    figure, axes = page(rows, min(COLUMNS, len(tasks)), height=2.3 * rows + 1.2)
    for axis, task in zip(axes.flat, tasks, strict=False):
        of_task = table[table["task"] == task]
        metric = trained.loc[trained["task"] == task, "metric"].iloc[0]
        of_task = of_task[of_task["metric"] == metric]
        for point, colour in zip(points, COLOURS, strict=False):
            some = of_task[of_task["point"] == point]
            _draw_point(
                axis, some, colour, point_label(point) if len(points) > 1 else "trained above k"
            )
        chance = of_task.loc[of_task["features"] == "frozen", "chance"].iloc[0]
        axis.axhline(chance, color=BLACK, ls=":", lw=1, label="chance")
        axis.set_title(
            f"{task.replace('_', ' ')}\n({NAMES.get(metric, metric)})", loc="left", fontsize=8.5
        )
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_xlabel("layers up to k frozen")
    for axis in axes.flat[len(tasks) :]:
        axis.set_axis_off()
    labels: dict = {}
    for axis in axes.flat[: len(tasks)]:
        labels |= dict(zip(*axis.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(labels.values(), labels, loc="outside right upper", fontsize=7.5)
    head(figure, f"{model}: what training the layers above k is worth")
    foot(
        figure,
        "0: all blocks are trained; the last layer: the head alone. Ridge: untouched network, same "
        "test folds. Bars: 95 % over groups, where several are tested.",
    )
    save(figure, path)


def _draw_point(axis, rows, colour, label):
    layers = rows[(rows["features"] == "frozen") & (rows["row"] == "probe")]
    layers = layers.sort_values("layer").astype({"layer": float})
    axis.vlines(layers["layer"], layers["low"], layers["high"], color=colour, lw=1.4)
    axis.plot(layers["layer"], layers["value"], "o-", color=colour, ms=4, label=label)
    for features, style in REFERENCES.items():
        row = rows[(rows["row"] == "reference") & (rows["features"] == features)]
        axis.axhline(row["value"].iloc[0], color=colour, ls=style, lw=1, label=WORDS[features])
