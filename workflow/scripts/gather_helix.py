"""Gather the helices of all points and baselines into one table."""

from pathlib import Path

import pandas as pd

from rasen import command, pitch, tables


def gather_helix(
    fits: list[Path], baselines: list[Path], points: Path, settings: dict, seed: int, table: Path
):
    """One row a model, route, point, position and layer; baselines have layer -1."""

    def summaries(rows, keys):
        each = rows.groupby(keys, sort=False)
        each = each.apply(lambda part: pitch.summary(part, seed))
        return each.reset_index(level=keys)

    network = summaries(tables.gather(fits), ["model", "point"])
    network = tables.read(points).merge(network, on=["model", "point"])
    others = summaries(tables.gather(baselines), ["model", "point"])
    others = others.assign(route="baseline", position=float("nan"))
    both = pd.concat([network, others[network.columns]], ignore_index=True)
    both = pitch.beside_random(both, settings, seed)
    first = ["model", "route", "point", "position", "layer", "features", "verdict"]
    tables.write(both[[*first, *both.columns.drop(first)]], table)


if __name__ == "__main__":
    command.run(gather_helix)
