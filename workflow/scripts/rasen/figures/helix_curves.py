"""The pitch helix in three dimensions: notes, curve, and what lies between them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize

from rasen.figures.style import BLACK, foot, head, page, save

PITCH_CLASSES = ListedColormap(colormaps["twilight"](np.arange(12) / 12))  # a cyclic map
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
MARKS = (
    "Points: notes, all instruments together. Black: the best helix; grey: from note to curve. "
    "Panels are turned and mirrored alike."
)
PANELS = 5
COLUMNS = 3


def draw_curves(
    notes: pd.DataFrame,
    curves: pd.DataFrame,
    verdicts: Mapping[float, str],
    title: str,
    path: Path,
) -> None:
    """Notes and fitted helix in 3D at five points of a route.

    notes, curves: rows of rasen.helix.aligned.align_tables of one route, layer and instrument;
    verdicts: {position: verdict in words}
    """
    positions = _evenly(sorted(curves["position"].unique()), PANELS)
    columns = min(COLUMNS, len(positions))
    rows = -(-len(positions) // columns)
    height = 2.6 * rows + 1.1
    # the constrained layout would give half of the page to the empty corners of the cubes
    in_3d = {"projection": "3d"}
    figure, axes = page(rows, columns, height=height, layout="none", subplot_kw=in_3d)
    bottom = 0.75 / height
    figure.subplots_adjust(0, bottom + 0.1 / height, 1, 1 - 0.55 / height, wspace=0, hspace=0.1)
    for axis in axes.flat[len(positions) :]:
        axis.set_axis_off()
    extent = notes.loc[notes["position"].isin(positions), ["x", "y", "z"]].abs().max().to_numpy()
    across, up = extent[:2].max(), extent[2]  # one scale for all, so that circles are round
    for axis, position in zip(axes.flat, positions, strict=False):
        at = notes[notes["position"] == position]
        _draw_panel(axis, at, curves[curves["position"] == position].iloc[0])
        axis.set(xlim=(-across, across), ylim=(-across, across), zlim=(-up, up))
        axis.set_box_aspect((across, across, up), zoom=1.3)
        axis.view_init(elev=18, azim=-60)
        for side in (axis.xaxis, axis.yaxis, axis.zaxis):
            side.set_ticklabels([])
            side.set_tick_params(length=0)
            side.pane.set_facecolor("white")
            side._axinfo["grid"].update(color="#e8e8e8", linewidth=0.4)
        verdict = verdicts.get(position, "")
        axis.set_title(f"$\\alpha$ = {position:g}: {verdict}", fontsize=8.5, y=0.97)
    lowest = int(curves["lowest"].iloc[0])
    bar = figure.colorbar(
        ScalarMappable(Normalize(-0.5, 11.5), PITCH_CLASSES),
        cax=figure.add_axes((0.3, bottom, 0.4, 0.018)), orientation="horizontal",
    )  # fmt: skip
    bar.set_ticks(range(12), labels=[NAMES[(lowest + key) % 12] for key in range(12)], fontsize=7)
    bar.outline.set_visible(False)
    head(figure, f"{title}: the notes of the last layer and their helix")
    foot(figure, MARKS)
    save(figure, path)


def curve_at(fit: pd.Series, keys: np.ndarray) -> np.ndarray:
    """Points [key, 3] of the curve of a row of curves, at any keys."""
    angle = fit["omega"] * keys + fit["turn"]
    radius = fit["radius"] + fit["radius_slope"] * keys
    height = fit["level"] + fit["rise"] * keys
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def _draw_panel(axis, notes, fit):
    keys = notes["key"].to_numpy()
    places = notes[["x", "y", "z"]].to_numpy()
    axis.plot(*curve_at(fit, np.linspace(0, keys.max(), 4 * len(keys))).T, color=BLACK, lw=1.1)
    for ends in zip(places, curve_at(fit, keys), strict=True):  # from a note to its place
        axis.plot(*np.transpose(ends), color="#999999", lw=0.5)
    axis.scatter(
        *places.T, c=keys % 12, s=16, cmap=PITCH_CLASSES, vmin=-0.5, vmax=11.5, depthshade=False,
        edgecolors="#555555", linewidths=0.3,
    )  # fmt: skip
    for place, pitch in zip(places, notes["pitch"], strict=True):
        if pitch % 12 == 0:
            axis.text(*place, f" C{pitch // 12 - 1}", fontsize=7)


def _evenly(values, count):
    """At most `count` of the values, evenly from the first to the last."""
    if len(values) <= count:
        return values
    wanted = np.linspace(values[0], values[-1], count)
    return sorted({min(values, key=lambda value: abs(value - target)) for target in wanted})
