"""Bring the helices of every route into one frame: tables of their notes and curves."""

from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.helix.aligned import align_tables
from rasen.io import parquet


def align_helix(
    fits: list[Path], baselines: list[Path], points: Path, notes: Path, curves: Path
) -> None:
    """Write the notes of every model, route, point, set, layer and instrument, and a row per fit.

    fits, baselines: notes in the axes of their own helices, of points and of baselines
    """
    whose = [parquet.read_tables([path], ["model", "point"]).iloc[0] for path in fits]
    path_of = {tuple(names): path for names, path in zip(whose, fits, strict=True)}
    aligned = []
    for _, visited in parquet.read_table(points).groupby(["model", "route"], sort=False):
        of_route = [path_of.get((row.model, row.point)) for row in visited.itertuples()]
        if None in of_route:  # a model without notes
            continue
        for stimuli in parquet.read_tables(of_route[:1], ["stimuli"])["stimuli"].unique():
            of_set = [("stimuli", "==", stimuli)]
            tables = [parquet.read_table(path, of_set) for path in of_route]
            aligned.append(align_tables(tables, visited))
    keys = ["model", "stimuli", "point"]
    for names, of_set in parquet.read_tables(baselines).groupby(keys, sort=False):
        alone = dict(zip(keys, names, strict=True)) | {"route": "baseline", "position": np.nan}
        aligned.append(align_tables([of_set], pd.DataFrame([alone])))
    for place, path in enumerate((notes, curves)):
        parquet.write_parts([tables[place] for tables in aligned], path)


if __name__ == "__main__":
    command.run(align_helix)
