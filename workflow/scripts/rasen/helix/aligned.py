"""The tables of aligned helices: notes, and the curves through them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rasen.helix.alignment import align_route
from rasen.helix.layers import CURVE, PLACE

VISITED = ["model", "route", "point", "position"]
FITTED = ["stimuli", "layer", "features", "instrument"]


def align_tables(
    fits: Sequence[pd.DataFrame], visited: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(notes, curves) of the points of a route, for one set of notes, in one frame (`alignment`).

    fits: per point, in the order of the route, the trained end last, the notes of `fit_layers` with
    the columns FITTED; layers, instruments and keys are the same in all.
    visited: per point a row with the columns VISITED
    notes: VISITED, FITTED, key, pitch (MIDI), x, y, z.   curves: a row per fit: VISITED, FITTED,
    omega, turn, radius, radius_slope, level, rise, lowest, keys. At key t the curve is, with
    r = radius + radius_slope t,
        x = r cos(omega t + turn),  y = r sin(omega t + turn),  z = level + rise t.
    omega < 0 where the helix is mirrored. NaN where there was no fit.
    """
    keys, instruments = (fits[0][name].nunique() for name in ("key", "instrument"))
    places = np.stack([fit[PLACE].to_numpy().reshape(-1, instruments, keys, 3) for fit in fits])
    alignment = align_route(places)
    of_note = fits[0].assign(pitch=fits[0]["lowest"] + fits[0]["key"])
    notes = _at_every_point(visited, of_note[[*FITTED, "key", "pitch"]])
    notes[PLACE] = alignment.place(places).reshape(-1, 3)

    curves = _at_every_point(visited, of_note.iloc[::keys][FITTED])
    curves[CURVE] = np.concatenate([fit.iloc[::keys][CURVE].to_numpy() for fit in fits])
    curves["omega"] *= np.where(alignment.mirrored.ravel(), -1, 1)
    turn = np.where(curves["omega"].isna(), np.nan, alignment.turn.ravel())
    curves.insert(curves.columns.get_loc("radius"), "turn", turn)
    return notes, curves.assign(lowest=fits[0]["lowest"].iloc[0], keys=keys)


def _at_every_point(visited, rows):
    """All rows once for every point; text as categories, as there are millions of rows."""
    tables = (table.astype(_categories(table)) for table in (visited[VISITED], rows))
    return next(tables).merge(next(tables), how="cross")


def _categories(table):
    return dict.fromkeys(table.columns[table.dtypes == "str"], "category")
