"""Follow features from point to point."""

from itertools import pairwise
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import hdf5, parquet
from rasen.sae.features import match
from rasen.sae.features.tally import open_tally
from rasen.sae.saelens_format import load


def match_features(tallies: list[Path], model: str, layer: int, seed: int, matches: Path) -> None:
    """Match the main SAEs of neighbouring points, in the order of `tallies`."""
    tables = []
    for paths in pairwise(tallies):
        with open_tally(paths[0]) as before, open_tally(paths[1]) as after:
            (start, first), (end, second) = map(_point_and_sae, paths)
            table = match.match_features(
                match.point_features(load(first), before),
                match.point_features(load(second), after),
                seed=seed,
            )
        tables.append(table.assign(model=model, layer=layer, from_point=start, to_point=end))
    parquet.write_table(pd.concat(tables, ignore_index=True), matches)


def _point_and_sae(path: Path) -> tuple[str, Path]:
    """The point of a tally, and the folder of its SAE."""
    with hdf5.open_file(path) as file:
        return str(file.attrs["point"]), path.parent / str(file.attrs["sae"])


if __name__ == "__main__":
    command.run(match_features)
