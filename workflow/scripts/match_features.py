"""Follow features from point to point, and from seed to seed."""

from itertools import combinations, pairwise
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import hdf5, parquet
from rasen.sae.features import match
from rasen.sae.features.tally import open_tally
from rasen.sae.saelens_format import load


def match_features(tallies: list[Path], model: str, layer: int, seed: int, matches: Path) -> None:
    """Match the main SAEs of neighbouring points, for every seed, and of all seeds at one point.

    tallies: in the order of the points, all points of a seed after those of another
    """
    sources = pd.DataFrame([_source(path) for path in tallies])
    pairs = [
        pair
        for column, pairs_of in (("seed", pairwise), ("point", lambda rows: combinations(rows, 2)))
        for _, group in sources.groupby(column, sort=False)
        for pair in pairs_of(list(group.itertuples()))
    ]
    tables = []
    for first, second in pairs:
        with open_tally(first.tally) as before, open_tally(second.tally) as after:
            table = match.match_features(
                match.point_features(load(first.sae), before),
                match.point_features(load(second.sae), after),
                seed=seed,
            )
        ends = {"from_point": first.point, "to_point": second.point}
        ends |= {"from_seed": first.seed, "to_seed": second.seed}
        tables.append(table.assign(model=model, layer=layer, **ends))
    parquet.write_table(pd.concat(tables, ignore_index=True), matches)


def _source(path: Path) -> dict:
    """What a tally is of, and the folder of its SAE."""
    with hdf5.open_file(path) as file:
        named = {name: file.attrs[name] for name in ("point", "seed", "sae")}
    return {
        "tally": path,
        "point": str(named["point"]),
        "seed": int(named["seed"]),
        "sae": path.parent / str(named["sae"]),
    }


if __name__ == "__main__":
    command.run(match_features)
