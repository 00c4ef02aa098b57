"""The pitch helix in three dimensions: notes, curve, and what lies between them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.figures.style import BLACK, GREY, PANEL, SMALL, foot, head, page, save

NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
# A circle of hues with twelve steps of 30 degrees. Neighbours are light and dark by turns, so that
# they differ in every type of colour vision, and none is pale (CIELAB lightness 66 and 45).
PITCH_CLASSES = (
    "#fd7681", "#bb4303", "#d1960b", "#647107", "#29b93b", "#03795f",
    "#21b2b5", "#03748e", "#20a9f5", "#0f64e0", "#de75fe", "#cb0a82",
)  # fmt: skip
MARKS = (
    "Dots: notes, all instruments together. Black: the best helix; grey: from a note to its place "
    "on it. Panels are turned and mirrored to match. Verdicts: of the tests, not of the picture."
)
PANELS, COLUMNS = 5, 2
ALPHABET = 6.5  # size of the names of the highest octave


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
    positions = most_different(notes, PANELS)
    rows = -(-(len(positions) + 1) // COLUMNS)  # the key has a place of its own
    height = 2.7 * rows + 0.9
    # the constrained layout would give half of the page to the empty corners of the cubes
    in_3d = {"projection": "3d"}
    figure, axes = page(rows, COLUMNS, height=height, layout="none", subplot_kw=in_3d)
    figure.subplots_adjust(0, 0.5 / height, 1, 1 - 0.6 / height, wspace=0, hspace=0.1)
    shown = notes[notes["position"].isin(positions)]
    extent = shown[["x", "y", "z"]].abs().max().to_numpy()
    across, up = extent[:2].max(), extent[2]  # one scale for all, so that circles are round
    step = "step" in set(notes["route"])
    for axis, position in zip(axes.flat, positions, strict=False):
        at = notes[notes["position"] == position]
        _draw_panel(axis, at, curves[curves["position"] == position].iloc[0], up)
        axis.set(xlim=(-across, across), ylim=(-across, across), zlim=(-up, up))
        axis.set_box_aspect((across, across, up), zoom=1.85)
        axis.view_init(elev=18, azim=-60)
        axis.set_axis_off()
        place = f"step {position:,.0f}" if step else f"$\\alpha$ = {position:g}"
        verdict = verdicts.get(position, "")
        axis.set_title(f"{place}: {verdict}", fontsize=PANEL, y=1.0)
    box = axes.flat[len(positions)].get_position()
    for axis in axes.flat[len(positions) :]:
        axis.remove()
    _draw_key(figure.add_axes((box.x0, box.y0, box.width, box.height), projection="polar"))
    head(figure, f"{title}: the notes of the last layer and their helix")
    foot(figure, MARKS)
    save(figure, path)


def most_different(notes: pd.DataFrame, count: int) -> list[float]:
    """At most `count` positions, with about equal changes of the notes from one to the next.

    notes: with position, key, x, y, z. The first and the last position are among them.
    """
    wide = notes.pivot_table(index="position", columns="key", values=["x", "y", "z"], dropna=False)
    positions = [float(position) for position in wide.index]
    if len(positions) <= count:
        return positions
    moved = np.sqrt(np.nansum(np.diff(wide.to_numpy(), axis=0) ** 2, axis=1))
    way = np.concatenate([[0], np.cumsum(moved)])
    return [positions[place] for place in _evenly(way, count)]


def _evenly(way: np.ndarray, count: int) -> Sequence[int]:
    """`count` places of `way` (rising), the ends among them, each as near as can be to its mark."""
    places = [0]
    for number, mark in enumerate(np.linspace(0, way[-1], count)[1:-1], start=1):
        free = np.arange(places[-1] + 1, len(way) - (count - 1 - number))
        places.append(int(free[np.abs(way[free] - mark).argmin()]))
    return [*places, len(way) - 1]


def curve_at(fit: pd.Series, keys: np.ndarray) -> np.ndarray:
    """Points [key, 3] of the curve of a row of curves, at any keys."""
    angle = fit["omega"] * keys + fit["turn"]
    radius = fit["radius"] + fit["radius_slope"] * keys
    height = fit["level"] + fit["rise"] * keys
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def _draw_panel(axis, notes, fit, up):
    keys, pitches = notes["key"].to_numpy(), notes["pitch"].to_numpy()
    places = notes[["x", "y", "z"]].to_numpy()
    axis.plot([0, 0], [0, 0], [-up, up], color=GREY, lw=0.6, ls=":")  # the axis of the helix
    axis.plot(*curve_at(fit, np.linspace(0, keys.max(), 4 * len(keys))).T, color=BLACK, lw=1.2)
    for ends in zip(places, curve_at(fit, keys), strict=True):  # from a note to its place
        axis.plot(*np.transpose(ends), color=GREY, lw=0.5, clip_on=False)
    colours = [PITCH_CLASSES[pitch % 12] for pitch in pitches]
    axis.scatter(
        *places.T, c=colours, s=26, depthshade=False, edgecolors="white", linewidths=0.4,
        clip_on=False,
    )  # fmt: skip
    highest = pitches.max() - 12
    for place, pitch, colour in zip(places, pitches, colours, strict=True):
        if pitch % 12 == 0:
            axis.text(*place, f"  C{pitch // 12 - 1}", fontsize=8.5, fontweight="bold")
        elif pitch > highest:
            axis.text(*place, f"  {NAMES[pitch % 12]}", fontsize=ALPHABET, color=colour)


def _draw_key(axis):
    """A wheel of the pitch classes, clockwise from C on top."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    axis.set_theta_zero_location("N")
    axis.set_theta_direction(-1)
    axis.bar(angles, 0.35, width=0.5, bottom=0.5, color=PITCH_CLASSES)
    for angle, name in zip(angles, NAMES, strict=True):
        axis.text(angle, 1.0, name, ha="center", va="center", fontsize=8.5)
    axis.text(0, 0, "pitch\nclass", ha="center", va="center", fontsize=SMALL)
    axis.set_ylim(0, 1.9)  # room around the wheel
    axis.set_axis_off()
