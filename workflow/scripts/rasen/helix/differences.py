"""Paired comparisons of Helicality: the same instruments at two points, or in model and sound."""

import numpy as np
import pandas as pd

from rasen.helix.layers import POOLED
from rasen.stats import corrected, mean_interval, t_test

UNTRAINED, PREVIOUS, LOG_MEL = "untrained", "previous point", "log-mel"


def paired_differences(
    rows: pd.DataFrame, points: pd.DataFrame, baselines: pd.DataFrame
) -> pd.DataFrame:
    """Differences of mean Helicality, point - other, with intervals over instruments.

    rows: of `fit_layers` at all points of one model, for a set of notes, with point and layer
    points: of one model, with route, point, position
    baselines: rows of `fit_layers` of the same notes, with features
    One row per route, point, layer and `against`: the untrained model, the previous point of the
    route, and the log-mel spectrum of the same notes. Instruments are paired; p is Student's, and
    q is corrected over all points and layers of a route.
    """
    network = _by_instrument(rows, ["point", "layer"])
    sound = _by_instrument(baselines[baselines["features"] == LOG_MEL], ["features"])
    tables = []
    for route, of_route in points.groupby("route", sort=False):
        of_route = of_route.sort_values("position")
        previous = of_route["point"].shift()
        for point, position, before in zip(
            of_route["point"], of_route["position"], previous, strict=True
        ):
            here = network[point]
            others = {LOG_MEL: sound[LOG_MEL]} if len(sound.columns) else {}
            if point != UNTRAINED and UNTRAINED in network:
                others[UNTRAINED] = network[UNTRAINED]
            if isinstance(before, str):
                others[PREVIOUS] = network[before]
            for against, other in others.items():
                table = _compare(here, other)
                table.insert(0, "route", route)
                table.insert(1, "point", point)
                table.insert(2, "position", position)
                table.insert(4, "against", against)
                tables.append(table)
    result = pd.concat(tables, ignore_index=True)
    result["q"] = result.groupby(["route", "against"])["p"].transform(corrected)
    return result


def _by_instrument(rows, columns):
    """Helicality with instruments as rows and (point, layer) or features as columns."""
    single = rows[rows["instrument"] != POOLED]
    return single.pivot_table(index="instrument", columns=columns, values="helicality", sort=False)


def _compare(here, other):
    """One row per layer of `here` [instrument, layer], minus `other` [instrument, layer] or one."""
    first = here.to_numpy()
    second = other.reindex(here.index).to_numpy().reshape(len(here), -1)
    differences = first - second
    mean, low, high = mean_interval(differences)
    return pd.DataFrame(
        {
            "layer": here.columns,
            "instruments": (~np.isnan(differences)).sum(axis=0),
            "difference": mean,
            "low": low,
            "high": high,
            "p": t_test(differences),
        }
    )
