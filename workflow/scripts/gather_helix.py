"""Gather the helices of all points and baselines into one table."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.helix.layers import HelixSettings, add_random_baselines, summarise_layers
from rasen.io import parquet


def gather_helix(
    fits: list[Path],
    baselines: list[Path],
    points: Path,
    settings: HelixSettings,
    seed: int,
    table: Path,
):
    """One row per model, route, point, position and layer; baselines have layer -1."""

    def summaries(rows, keys):
        groups = rows.groupby(keys, sort=False)
        return groups.apply(lambda part: summarise_layers(part, seed)).reset_index(level=keys)

    network = summaries(parquet.read_tables(fits), ["model", "point"])
    network = parquet.read_table(points).merge(network, on=["model", "point"])
    others = summaries(parquet.read_tables(baselines), ["model", "point"])
    others = others.assign(route="baseline", position=float("nan"))
    both = pd.concat([network, others[network.columns]], ignore_index=True)
    both = add_random_baselines(both, settings, seed)
    first = ["model", "route", "point", "position", "layer", "features", "verdict"]
    parquet.write_table(both[[*first, *both.columns.drop(first)]], table)


if __name__ == "__main__":
    command.run(gather_helix)
