"""Depth slopes and peaks of Helicality are those that were planted."""

import numpy as np
import pandas as pd
import pytest

from rasen.helix.depth import depth_slopes, peak_positions
from rasen.helix.layers import POOLED

POINTS = pd.DataFrame(
    {
        "route": ["linear"] * 3 + ["step"] * 2,
        "point": ["untrained", "half", "trained", "untrained", "step-9"],
        "position": [0.0, 0.5, 1.0, 0, 9],
    }
)
SLOPES = {"untrained": -0.3, "half": 0.0, "trained": 1.2, "step-9": 0.6}


def rows(rng, instruments=12, layers=5, noise=0.05):
    found = []
    for point, slope in SLOPES.items():
        for instrument in [*range(instruments), POOLED]:
            for layer in range(layers):
                value = 2 + slope * layer / (layers - 1) + noise * rng.standard_normal()
                if instrument == POOLED:
                    value = 99.0  # must not count
                found.append((point, layer, str(instrument), value))
    return pd.DataFrame(found, columns=["point", "layer", "instrument", "helicality"])


def test_slopes_are_the_planted_ones_with_their_interval(rng):
    table = depth_slopes(rows(rng), POINTS).set_index(["route", "point"])
    for (route, point), row in table.iterrows():
        assert row["low"] < SLOPES[point] < row["high"], (route, point)
        assert row["high"] - row["low"] < 0.12
        assert (row["q"] < 0.05) == (SLOPES[point] != 0)
    assert table["p"].dtype == float  # which parquet can hold
    assert set(table["instruments"]) == {12}
    assert set(table["layers"]) == {5}


def test_one_layer_has_no_slope(rng):
    table = depth_slopes(rows(rng, layers=2).query("layer == 0"), POINTS)
    assert table["slope"].isna().all()


def test_a_layer_that_peaks_before_the_end_is_told_from_one_that_does_not(rng):
    table = rows(rng)
    early = (table["layer"] == 4) & (table["point"] == "half") & (table["instrument"] != POOLED)
    table.loc[early, "helicality"] += 3
    peaks = peak_positions(table, POINTS).set_index(["route", "layer"])
    assert peaks.loc[("linear", 4), "peak"] == 0.5
    assert peaks.loc[("linear", 4), "before_end"] == 1
    assert peaks.loc[("linear", 3), "peak"] == 1
    assert peaks.loc[("linear", 3), "before_end"] == 0
    assert peaks.loc[("linear", 3), ["low", "high"]].tolist() == [1, 1]
    assert peaks.loc[("step", 3), "peak"] == 9
    # nothing planted in layer 0 but noise: any position may be the highest
    assert peaks.loc[("linear", 0), "low"] < peaks.loc[("linear", 0), "high"]


def test_a_single_instrument_has_no_interval(rng):
    one = rows(rng, instruments=1)
    assert np.isnan(peak_positions(one, POINTS)["low"]).all()
    slopes = depth_slopes(one, POINTS)
    assert slopes["low"].isna().all()
    assert slopes["slope"].iloc[0] == pytest.approx(-0.3, abs=0.2)
