"""Follow features from point to point."""

from itertools import pairwise
from pathlib import Path

import pandas as pd

from rasen import command, store, tables
from rasen.sae import features, load


def match_features(tallies: list[Path], model: str, layer: int, seed: int, matches: Path):
    """Match the main SAEs of neighbouring points, in the order of `tallies`."""
    sides = [(_point(path), _side(path)) for path in tallies]
    parts = []
    for (start, before), (end, after) in pairwise(sides):
        found = features.match.match(before, after, seed=seed)
        parts.append(found.assign(model=model, layer=layer, from_point=start, to_point=end))
    tables.write(pd.concat(parts, ignore_index=True), matches)


def _point(path):
    with store.open_file(path) as file:
        return str(file.attrs["point"])


def _side(path):
    with store.open_file(path) as file:
        name = str(file.attrs["sae"])
    return features.match.side(load(path.parent / name), features.tally.read(path))


if __name__ == "__main__":
    command.run(match_features)
