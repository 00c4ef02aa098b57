"""How Helicality rises with depth, and where along a route it peaks, as numbers.

The paper reads them from figures: in untrained models Helicality falls with depth, in trained ones
it rises; and in a large model some late layers are highest before the trained end.
"""

import numpy as np
import pandas as pd

from rasen.helix.layers import POOLED
from rasen.seeds import generator
from rasen.stats import corrected, mean_interval, t_test

DRAWS = 1000


def depth_slopes(rows: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """How Helicality rises with depth at each point: a straight line through its layers.

    rows: of `fit_layers` at all points of one model, for a set of notes, with point and layer
    points: of one model, with route, point, position
    slope: of Helicality from the first layer to the last one (depth runs from 0 to 1), mean over
    instruments with Student's interval; p: that it is zero, q: corrected over the route's points.
    """
    single = rows[rows["instrument"] != POOLED]
    tables = []
    for route, of_route in points.groupby("route", sort=False):
        of_route = of_route.sort_values("position")
        for point, position in zip(of_route["point"], of_route["position"], strict=True):
            grid = single[single["point"] == point].pivot_table(
                index="instrument", columns="layer", values="helicality"
            )
            slopes = _slopes(grid.to_numpy())
            slope, low, high = mean_interval(slopes)
            tables.append(
                {
                    "route": route,
                    "point": point,
                    "position": position,
                    "layers": grid.shape[1],
                    "instruments": len(slopes),
                    "slope": slope,
                    "low": low,
                    "high": high,
                    "p": float(t_test(slopes)),
                }
            )
    result = pd.DataFrame(tables)
    result["q"] = result.groupby("route")["p"].transform(corrected)
    return result


def peak_positions(rows: pd.DataFrame, points: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """At which position of each route each layer's mean Helicality is the highest.

    Columns route, layer, peak, low, high (95 %, instruments resampled), before_end: the share of
    resamples in which the peak lies before the route's last position; instruments.
    """
    single = rows[rows["instrument"] != POOLED]
    tables = []
    for route, of_route in points.groupby("route", sort=False):
        of_route = of_route.sort_values("position")
        position = of_route["position"].to_numpy()
        for layer, some in single.groupby("layer"):
            grid = some.pivot_table(index="instrument", columns="point", values="helicality")
            values = grid.reindex(columns=of_route["point"]).to_numpy()  # [instrument, position]
            values = values[~np.isnan(values).any(axis=1)]
            if not len(values):
                continue
            rng = generator(seed, "helix", "peak", route)
            count = len(values)
            drawn = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
            peaks = position[(drawn @ values).argmax(axis=1)]
            several = count > 1
            low, high = np.quantile(peaks, [0.025, 0.975], method="nearest")
            tables.append(
                {
                    "route": route,
                    "layer": layer,
                    "instruments": count,
                    "peak": position[values.mean(axis=0).argmax()],
                    "low": low if several else np.nan,
                    "high": high if several else np.nan,
                    "before_end": (peaks < position[-1]).mean() if several else np.nan,
                }
            )
    return pd.DataFrame(tables)


def _slopes(values):
    """Least squares over depth 0 to 1: [instruments] from values [instruments, layers]."""
    if values.shape[1] < 2:
        return np.full(len(values), np.nan)
    depth = np.linspace(0, 1, values.shape[1])
    depth -= depth.mean()
    return values @ depth / (depth @ depth)
