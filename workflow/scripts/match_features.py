"""Follow features from point to point."""

from itertools import pairwise
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import hdf5, parquet
from rasen.sae.features.match import Side, match, side_of
from rasen.sae.features.tally import read_tally
from rasen.sae.saelens_format import load


def match_features(tallies: list[Path], model: str, layer: int, seed: int, matches: Path):
    """Match the main SAEs of neighbouring points, in the order of `tallies`."""
    sides = [_side(path) for path in tallies]
    parts = []
    for (start, before), (end, after) in pairwise(sides):
        pairs = match(before, after, seed=seed)
        parts.append(pairs.assign(model=model, layer=layer, from_point=start, to_point=end))
    parquet.write_table(pd.concat(parts, ignore_index=True), matches)


def _side(path: Path) -> tuple[str, Side]:
    """The point of a tally, and its SAE with what its features do."""
    with hdf5.open_file(path) as file:
        point, name = str(file.attrs["point"]), str(file.attrs["sae"])
    return point, side_of(load(path.parent / name), read_tally(path))


if __name__ == "__main__":
    command.run(match_features)
