"""One row per layer of a point (or per baseline): means over instruments, tests, and a verdict."""

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.helix.fitting import OCTAVE
from rasen.helix.layers import POOLED
from rasen.helix.nulls import random_baseline
from rasen.helix.octave import FEWEST_KEYS
from rasen.helix.settings import HelixSettings
from rasen.stats import corrected, mean_interval

LEVEL = 0.05  # false discovery rate of the verdicts
MEANS = ("helicality_12", "r2")
OF_POOLED = {
    "pooled": "helicality", "pooled_low": "low", "pooled_high": "high", "pooled_period": "period",
    "pooled_r2": "r2", "pooled_chroma": "chroma",
}  # fmt: skip
TESTS = (
    "permutation_p", "smooth_50", "smooth_95", "smooth_p", "order_p", "folding", "folding_rival",
    "folding_p",
    "divisor_p", "margin", "margin_p", "loudness_p", "octave_p", "contrast", "held_out_octave",
    "held_out_p", "fourier_12", "fourier_period", "transfer_r2",
)  # fmt: skip
CORRECTED = ("octave", "order")  # the tests of the verdict, both without a fit


def summarise_layers(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per layer of one point (or per baseline of a model), of one set of notes.

    rows: those of `fit_layers`, with columns features and layer in place of label. Instruments are
    averaged, with Student's interval over them; then come the pooled fit and its tests.
    `add_verdicts` corrects them.
    """
    layers = rows[rows["instrument"] != POOLED].groupby(["features", "layer"], sort=False)
    pooled = rows[rows["instrument"] == POOLED].set_index(["features", "layer"])
    intervals = [
        mean_interval(np.array(values), positive=True) for values in layers["helicality"].agg(list)
    ]
    table = pd.DataFrame(
        {
            "instruments": layers.size(),
            "keys": layers["keys"].first(),
            "lowest": layers["lowest"].first(),
            **dict(zip(("helicality", "low", "high"), np.transpose(intervals), strict=True)),
            **{name: layers[name].mean() for name in MEANS},
            "period": layers["period"].median(),
            "octave_share": layers["octave"].mean(),
        }
    )
    for column, name in OF_POOLED.items():
        table[column] = pooled[name]
    for name in (*TESTS, "draws"):
        table[name] = pooled[name]
    if "helicality_trials" in pooled:
        table["pooled_trials"] = pooled["helicality_trials"]
    return table.reset_index()


def add_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with corrected p-values and a verdict: what the pooled notes of each row are.

    table: the rows that are looked at together, all points and layers of a route for one set of
    notes: p-values are corrected over them all (Benjamini-Hochberg), and verdicts are at a false
    discovery rate of 5 %.

    "octave"        keys twelve apart are alike beyond a trend; twelve classes say more than 2, 3, 4
                    or 6; by more than smooth paths reach; and not by the loudness of the notes
    "smooth path"   neighbouring keys are alike, but nothing repeats at twelve
    "cannot tell"   the same on fewer than 32 keys: a smooth path and an octave look alike
    "no structure"  keys in random order are as alike
    "no fit"        features constant, flat or not numbers
    """
    _require_draws(table)
    table = table.copy()
    for name in CORRECTED:
        table[f"{name}_q"] = corrected(table[f"{name}_p"])
    ordered = np.where(table["keys"] < FEWEST_KEYS, "cannot tell", "smooth path")
    words = np.where(table["order_q"] < LEVEL, ordered, "no structure")
    words = np.where(table["octave_q"] < LEVEL, "octave", words)
    table["verdict"] = np.where(table["pooled"].isna(), "no fit", words)
    return table


def _require_draws(table):
    """Refuse too few draws: one true octave among all rows could not pass."""
    draws, needed = table["draws"].min(), int(np.ceil(len(table) / LEVEL)) - 1
    if draws < needed:
        raise RasenError(
            f"helix.draws: {draws:.0f} cannot show one octave among {len(table)} points and "
            f"layers, as the smallest p-value is 1 / {draws + 1:.0f}; give {needed} or more"
        )


def add_random_baselines(table: pd.DataFrame, settings: HelixSettings, seed: int) -> pd.DataFrame:
    """`table` with the Helicality of features in random order: mean and 95 % quantile.

    With the period free (random_) and at 12 keys (random_12_). NaN when components are not
    standardised: Helicality then depends on the features' scale.
    """
    radius, components = settings.radius, settings.components
    for name, omega in (("random", settings.omega), ("random_12", OCTAVE)):
        for keys in table["keys"].unique():
            null = np.array([np.nan])
            if settings.standardise:
                null = random_baseline(keys, omega, radius, components=components, seed=seed)
            same_keys = table["keys"] == keys
            table.loc[same_keys, f"{name}_mean"] = null.mean()
            table.loc[same_keys, f"{name}_95"] = np.quantile(null, 0.95)
    return table
