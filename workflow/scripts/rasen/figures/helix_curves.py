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
    curves: pd.DataFrame, verdicts: Mapping[float, str], model: str, path: Path
) -> None:
    """Notes and fitted helix in 3D at five points of the linear route, turned alike.

    curves: rows of one layer (of rasen.helix.layers.fit_layers) with column position;
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
    panels = aligned(
        [curves[curves["position"] == position].sort_values("key") for position in positions]
    )
    extent = np.nanmax(
        [np.abs(panel[["note_x", "note_y", "note_z"]]).max() for panel in panels], axis=0
    )
    across, up = extent[:2].max(), extent[2]  # one scale for all, so that circles are round
    for axis, position, panel in zip(axes.flat, positions, panels, strict=False):
        _draw_panel(axis, panel)
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
    head(figure, f"{model}: the notes of the last layer and their helix")
    foot(figure, MARKS)
    save(figure, path)


def aligned(panels: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Panels with columns note_x ... curve_z, turned about the axis and mirrored to match the last.

    The direction of a component is arbitrary, and so is the handedness of a helix in components.
    """
    reference = _plane(panels[-1], "note")
    result = []
    for panel in panels:
        notes = _plane(panel, "note")
        candidates = (notes, notes.conj())
        fits = [np.nansum(candidate.conj() * reference) for candidate in candidates]
        mirror = np.abs(fits[1]) > np.abs(fits[0])
        turn = np.exp(1j * np.angle(fits[int(mirror)]))
        turned = panel.copy()
        for kind in ("note", "curve"):
            plane = _plane(panel, kind)
            plane = (plane.conj() if mirror else plane) * turn
            turned[f"{kind}_x"], turned[f"{kind}_y"] = plane.real, plane.imag
        result.append(turned)
    return result


def _plane(panel, kind):
    return panel[f"{kind}_x"].to_numpy() + 1j * panel[f"{kind}_y"].to_numpy()


def _draw_panel(axis, panel):
    notes = panel[panel["key"] % 1 == 0]
    axis.plot(panel["curve_x"], panel["curve_y"], panel["curve_z"], color=BLACK, lw=1.1)
    pitch = int(panel["lowest"].iloc[0]) + notes["key"].to_numpy().astype(int)
    for row in notes.itertuples():  # from every note to its place on the curve
        ends = zip(
            (row.note_x, row.note_y, row.note_z), (row.curve_x, row.curve_y, row.curve_z),
            strict=True,
        )  # fmt: skip
        axis.plot(*ends, color="#999999", lw=0.5)
    axis.scatter(
        notes["note_x"], notes["note_y"], notes["note_z"], c=notes["key"] % 12, s=16,
        cmap=PITCH_CLASSES, vmin=-0.5, vmax=11.5, depthshade=False, edgecolors="#555555",
        linewidths=0.3,
    )  # fmt: skip
    for place in np.flatnonzero(pitch % 12 == 0):
        row = notes.iloc[place]
        name = f"C{pitch[place] // 12 - 1}"
        axis.text(row["note_x"], row["note_y"], row["note_z"], f" {name}", fontsize=7)


def _evenly(values, count):
    """At most `count` of the values, evenly from the first to the last."""
    if len(values) <= count:
        return values
    wanted = np.linspace(values[0], values[-1], count)
    return sorted({min(values, key=lambda value: abs(value - target)) for target in wanted})
