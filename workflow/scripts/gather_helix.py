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
) -> None:
    """One row per model, route, point, position and layer; baselines have layer -1."""

    def summaries(rows):
        keys = ["model", "point"]
        groups = rows.groupby(keys, sort=False)
        return groups.apply(lambda fits: summarise_layers(fits, seed)).reset_index(level=keys)

    network = summaries(parquet.read_tables(fits))
    network = parquet.read_table(points).merge(network, on=["model", "point"])
    without_network = summaries(parquet.read_tables(baselines))
    without_network = without_network.assign(route="baseline", position=float("nan"))
    rows = pd.concat([network, without_network[network.columns]], ignore_index=True)
    rows = add_random_baselines(rows, settings, seed)
    first = ["model", "route", "point", "position", "layer", "features", "verdict"]
    parquet.write_table(rows[[*first, *rows.columns.drop(first)]], table)


if __name__ == "__main__":
    command.run(gather_helix)
