"""Gather the helices of all points and baselines into a table, and paired comparisons of them."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.helix.depth import depth_slopes, peak_positions
from rasen.helix.differences import paired_differences
from rasen.helix.settings import HelixSettings
from rasen.helix.summary import add_random_baselines, add_verdicts, summarise_layers
from rasen.io import parquet


def gather_helix(
    fits: list[Path],
    baselines: list[Path],
    points: Path,
    settings: HelixSettings,
    seed: int,
    table: Path,
    differences: Path,
    slopes: Path,
    peaks: Path,
) -> None:
    """One row per model, route, point, position, set of notes and layer; baselines have layer -1.

    p-values are corrected over all points and layers of a route and a set, which is what its figure
    shows.
    """
    of_network, of_sound = parquet.read_tables(fits), parquet.read_tables(baselines)
    on_routes = parquet.read_table(points)
    network = on_routes.merge(_summaries(of_network), on=["model", "point"])
    network = _per_group(network, ["model", "route", "stimuli"], add_verdicts)
    sound = _per_group(_summaries(of_sound), ["model", "stimuli"], add_verdicts)
    sound = sound.assign(route="baseline", position=float("nan"))
    rows = pd.concat([network, sound[network.columns]], ignore_index=True)
    rows = add_random_baselines(rows, settings, seed)
    first = ["model", "route", "point", "position", "stimuli", "layer", "features", "verdict"]
    parquet.write_table(rows[[*first, *rows.columns.drop(first)]], table)
    compared, deep, high = [], [], []
    for (model, notes), of_set in of_network.groupby(["model", "stimuli"], sort=False):
        visited = on_routes[
            (on_routes["model"] == model) & on_routes["point"].isin(of_set["point"])
        ]
        baseline = of_sound[(of_sound["model"] == model) & (of_sound["stimuli"] == notes)]
        whose = {"model": model, "stimuli": notes}
        compared.append(paired_differences(of_set, visited, baseline).assign(**whose))
        deep.append(depth_slopes(of_set, visited).assign(**whose))
        high.append(peak_positions(of_set, visited, seed).assign(**whose))
    keys = [key for key in first if key not in ("features", "verdict")]
    for tables, path in ((compared, differences), (deep, slopes), (high, peaks)):
        whole = pd.concat(tables, ignore_index=True)
        leading = [key for key in keys if key in whole]
        parquet.write_table(whole[[*leading, *whole.columns.drop(leading)]], path)


def _summaries(rows):
    """`summarise_layers` of every model, point and set of notes."""
    keys = ["model", "point", "stimuli"]
    groups = rows.groupby(keys, sort=False)
    tables = [summarise_layers(of_point).assign(**dict(zip(keys, names, strict=True)))
              for names, of_point in groups]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def _per_group(table, keys, function):
    return pd.concat(
        [function(rows) for _, rows in table.groupby(keys, sort=False)], ignore_index=True
    )


if __name__ == "__main__":
    command.run(gather_helix)
