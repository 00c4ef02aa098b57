"""The helix for the page: the fits as a table, notes and curves in one part per layer and route."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rasen.explorer.contract import columns_of
from rasen.explorer.part import Part, table_part
from rasen.io.parquet import read_table

ROUTE = ["model", "stimuli", "route"]
PART = [*ROUTE, "layer"]
COORDINATES = ["x", "y", "z"]
CURVE = ["omega", "turn", "radius", "radius_slope", "level", "rise"]
POOLED = "pooled"  # the mean over instruments, shown first


def parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """The fits; notes and curves where there are tables of them."""
    fits = read_table(tables["helix"])
    yield table_part("helix_fits", fits, columns_of(contract, "helix_fits"))
    if {"helix_notes", "helix_curves"} <= tables.keys():
        for of_route, curves in read_table(tables["helix_curves"]).groupby(
            ROUTE, sort=False, observed=True
        ):
            # notes of all routes together may be larger than memory
            chosen = [(name, "==", value) for name, value in zip(ROUTE, of_route, strict=True)]
            yield from note_parts(read_table(tables["helix_notes"], chosen), curves)


def note_parts(notes: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Part]:
    """One part per model, set of notes, route and layer: a step of a slider loads one at most."""
    groups = dict(list(curves.groupby(PART, sort=False, observed=True)))
    for names, rows in notes.groupby(PART, sort=False, observed=True):
        yield _part(dict(zip(PART, names, strict=True)), rows, groups[names])


def _part(of, rows, curves):
    """Dense arrays [points, instruments, keys], NaN where there is no note or fit."""
    points = _points(rows)
    names = list(dict.fromkeys(rows["instrument"]))
    instruments = sorted(names, key=lambda name: name != POOLED)
    pitch = np.sort(rows["pitch"].unique())
    sizes = {"points": len(points), "instruments": len(instruments), "keys": len(pitch)}
    place = (
        pd.Index(points).get_indexer(_point_names(rows)),
        pd.Index(instruments).get_indexer(rows["instrument"]),
        np.searchsorted(pitch, rows["pitch"]),
    )
    columns = {"pitch": pitch}
    for name in COORDINATES:
        columns[name] = np.full(tuple(sizes.values()), np.nan, np.float32)
        columns[name][place] = rows[name]
    place = (
        pd.Index(points).get_indexer(_point_names(curves)),
        pd.Index(instruments).get_indexer(curves["instrument"]),
    )
    for name in CURVE:
        columns[name] = np.full((len(points), len(instruments)), np.nan, np.float32)
        columns[name][place] = curves[name]
    of = {**of, "layer": int(of["layer"])}
    return Part("helix_notes", columns, {"points": points, "instruments": instruments}, sizes, of)


def _points(rows):
    """Names in the route's order; of baselines, those of the features."""
    order = rows.assign(name=_point_names(rows)).drop_duplicates("name")
    return order.sort_values("position", kind="stable")["name"].tolist()


def _point_names(rows):
    return rows["features"] if rows["route"].iloc[0] == "baseline" else rows["point"]
