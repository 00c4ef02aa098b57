"""Follow features from point to point."""

from itertools import pairwise
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import hdf5, parquet
from rasen.sae.features import match
from rasen.sae.features.tally import read_tally
from rasen.sae.saelens_format import load


def match_features(tallies: list[Path], model: str, layer: int, seed: int, matches: Path) -> None:
    """Match the main SAEs of neighbouring points, in the order of `tallies`."""
    features_of_points = [_features_of_point(path) for path in tallies]
    tables = []
    for (start, before), (end, after) in pairwise(features_of_points):
        table = match.match_features(before, after, seed=seed)
        tables.append(table.assign(model=model, layer=layer, from_point=start, to_point=end))
    parquet.write_table(pd.concat(tables, ignore_index=True), matches)


def _features_of_point(path: Path) -> tuple[str, match.PointFeatures]:
    """The point of a tally, and the features of its SAE."""
    with hdf5.open_file(path) as file:
        point, sae = str(file.attrs["point"]), str(file.attrs["sae"])
    return point, match.point_features(load(path.parent / sae), read_tally(path))


if __name__ == "__main__":
    command.run(match_features)
