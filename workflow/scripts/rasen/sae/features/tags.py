"""Tags: what is known of every clip or frame, as yes or no for each value of each column.

Any table will do, one row per clip (the dump's own `clips/`, a sheet, tags by CLAP) or one row per
frame. Words, whole numbers and yes/no become one tag per value ("pitch class C"). Fractions (tempo,
loudness) are binned at quantiles, about as many units in each ("tempo 96 to 118"). Lists give one
tag per item.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csc_array

from rasen.errors import RasenError

PITCH_CLASSES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
PLACES = ("clip", "frame", "row")  # columns that say where, not what


@dataclass(frozen=True, eq=False)
class Tags:
    """Tags of units (clips or frames)."""

    has: csc_array  # [units, tags], 1 where a unit has a tag
    table: pd.DataFrame  # a row per tag: tag, column, value, units, share

    def select(self, units: np.ndarray) -> "Tags":
        """The same tags of some of the units (mask or indices)."""
        return Tags(csc_array(self.has[units]), self.table)


def with_pitch_class(table: pd.DataFrame) -> pd.DataFrame:
    """The table with pitch_class and octave beside a column pitch (MIDI number)."""
    if "pitch" not in table:
        return table
    pitch = pd.to_numeric(table["pitch"], errors="coerce").round().astype("Int64")
    names = (pitch % 12).map(dict(enumerate(PITCH_CLASSES)))
    return table.assign(pitch=pitch, pitch_class=names, octave=pitch // 12 - 1)


def tags_of_table(
    table: pd.DataFrame, columns: Sequence[str] | None = None, bins: int = 4, least: int = 5
) -> Tags:
    """Tags of a table with one row per unit.

    columns: which (all but clip, frame, row);  bins: of columns of fractions
    least: tags that fewer units have, or lack, are left out (so names of files are)
    # ASSUME: a missing value (empty, NaN) means that none of the column's tags applies
    """
    columns = [name for name in table.columns if name not in PLACES] if columns is None else columns
    missing = [name for name in columns if name not in table]
    if missing:
        raise RasenError(f"tags: no column {', '.join(missing)}; there are {', '.join(table)}")
    unit: list[int] = []
    tag: list[int] = []
    rows: list[tuple[str, str, str]] = []
    for column in columns:
        units_of_values, values = _values_of_units(table[column], bins)
        distinct = list(dict.fromkeys(values))
        number = {value: len(rows) + place for place, value in enumerate(distinct)}
        rows += [(f"{column.replace('_', ' ')} {value}", column, value) for value in distinct]
        unit += units_of_values
        tag += [number[value] for value in values]
    shape = (len(table), len(rows))
    has = csc_array((np.ones(len(unit), np.float32), (unit, tag)), shape)
    has.data[:] = 1  # an item named twice in a list
    about = pd.DataFrame(rows, columns=["tag", "column", "value"], dtype=object)
    about["units"] = np.diff(has.indptr)
    kept = np.flatnonzero((about["units"] >= least) & (about["units"] <= len(table) - least))
    if not len(kept):
        raise RasenError(
            f"tags: no value of {', '.join(columns)} is had and lacked by {least} units; "
            "give more clips or other columns"
        )
    about = about.iloc[kept].reset_index(drop=True)
    return Tags(csc_array(has[:, kept]), about.assign(share=about["units"] / len(table)))


def _values_of_units(column, bins):
    """The values in a column, as words: (units, values), two lists."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 != 0).any():
        return _binned(column, bins)
    units, values = [], []
    for unit, cell in enumerate(column):
        for item in _items(cell):
            units.append(unit)
            values.append(item)
    return units, values


def _items(value):
    if isinstance(value, str) and value[:1] == "[":
        value = json.loads(value)  # as a dump stores lists
    if isinstance(value, list | tuple | np.ndarray):
        return [str(item) for item in value]
    if pd.isna(value) or value in ("", "null"):
        return []
    if isinstance(value, float):
        value = int(value)
    return [str(value)]


def _binned(column, bins):
    values = column.to_numpy(float)
    known = np.flatnonzero(np.isfinite(values))
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:  # the same value everywhere
        return list(known), [f"{edges[0]:.4g}"] * len(known)
    which = np.clip(np.searchsorted(edges, values[known], side="right") - 1, 0, len(edges) - 2)
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return list(known), [names[bin] for bin in which]
