"""Maps of similarity: layers against layers, at one point, between points, between models."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from rasen.figures.routes import point_label
from rasen.figures.style import SMALL, VALUES, foot, head, page, save, write_values

COLUMNS = 3
MOST_WRITTEN = 10  # layers of a map that still has its numbers written in
MEASURES = {"cka": "debiased linear CKA", "pwcca": "PWCCA"}


def draw_similarity(table: pd.DataFrame, model: str, path: Path, measure: str = "cka") -> None:
    """One map per pair of points (and models) that were compared.

    table: rows of results/tables/similarity.parquet whose first model is this one
    """
    table = table[table["measure"] == measure]
    panels = list(table.groupby(["point", "model_2", "point_2"], sort=False))
    if not panels:
        panels = []
    columns = min(COLUMNS, max(1, len(panels)))
    rows = -(-max(1, len(panels)) // columns)
    figure, axes = page(rows, columns, height=2.3 * rows + 0.9)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    colours = Normalize(0, 1)
    for axis, ((point, model_2, point_2), some) in zip(axes.flat, panels, strict=False):
        grid, same = _grid(some, model, model_2, point, point_2)
        axis.pcolormesh(np.ma.masked_invalid(grid.to_numpy(dtype=float)), cmap=VALUES, norm=colours)
        if max(grid.shape) <= MOST_WRITTEN:
            write_values(axis, grid.to_numpy(dtype=float), colours)
        axis.set_aspect("equal")
        axis.grid(False)
        for set_ticks, labels in ((axis.set_xticks, grid.columns), (axis.set_yticks, grid.index)):
            step = -(-len(labels) // 8)
            set_ticks(np.arange(len(labels))[::step] + 0.5, list(labels)[::step], fontsize=SMALL)
        here, there = point_label(point), point_label(point_2)
        other = there if model_2 == model else f"{model_2}, {there}"
        axis.set_title(here if same else f"{here} and {other}", loc="left", fontsize=8.5)
        axis.set_xlabel("layer" if same else f"layer of {other}", fontsize=8)
        axis.set_ylabel("layer" if same else f"layer of {here}", fontsize=8)
    bar = figure.colorbar(
        ScalarMappable(colours, VALUES), ax=axes, label=MEASURES.get(measure, measure), aspect=30
    )
    bar.outline.set_visible(False)
    head(figure, f"{model}: how alike its layers are ({MEASURES.get(measure, measure)})")
    null = table["null"].mean() if "null" in table and len(table) else np.nan
    told = f" Unrelated features: {null:.2f}." if np.isfinite(null) else ""
    foot(figure, f"1: equal up to rotation and scale.{told} White: not compared.")
    save(figure, path)


def _grid(rows, model, model_2, point, point_2):
    """Values [layer, layer_2], both halves where both sides are the same; and whether they are."""
    same = model == model_2 and point == point_2
    if same:
        turned = rows.rename(columns={"layer": "layer_2", "layer_2": "layer"})
        names = sorted(set(rows["layer"]) | set(rows["layer_2"]))
        itself = pd.DataFrame({"layer": names, "layer_2": names, "value": 1.0})
        rows = pd.concat([rows, turned, itself]).drop_duplicates(["layer", "layer_2"])
    return rows.pivot(index="layer", columns="layer_2", values="value").sort_index(), same
