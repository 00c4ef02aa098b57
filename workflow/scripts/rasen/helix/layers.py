"""The pitch helix of a model's layers as tables: fits of every layer and instrument, and verdicts.

Features of single notes in, [instrument, key, dim] per layer (or baseline); tidy rows out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd

from rasen.errors import raise_all
from rasen.helix.bootstrap import bootstrap_mean, bootstrap_pooled
from rasen.helix.fitting import OCTAVE, Omega, describe_flags, fit_triples
from rasen.helix.nulls import permuted_keys, random_baseline, smooth_surrogates
from rasen.helix.octave import folding_scores, held_out_octave, octave_evidence
from rasen.helix.radius import RADIUS_RULES
from rasen.helix.reduction import compress, reduce
from rasen.helix.trials import best_of_trials
from rasen.stats import corrected, p_value

POOLED = "pooled"  # the "instrument" of rows about the mean of all instruments' features
FOLDING_LEVEL = 0.01  # significance level of folding, as in octave_evidence
DRAWS_LEVEL = 0.05  # significance level of the tests by random draws
METHODS = ("exact", "trials")


@dataclass(frozen=True)
class HelixSettings:
    """How helices are fitted and tested; the section `helix` of the config.

    period: keys per turn, a number or (shortest, longest);  method: "exact", or both with "trials"
    bootstrap, null_draws: resamples of the instruments, and draws of each null
    """

    components: int
    period: float | list[float]
    radius: Literal["cone", "positive", "cylinder"]
    standardise: bool
    method: Literal["exact", "trials"]
    bootstrap: int
    null_draws: int

    def __post_init__(self) -> None:
        mistakes = []
        if self.components < 3:
            mistakes.append(f"components: {self.components}; give 3 or more, one per dimension")
        if self.radius not in RADIUS_RULES:
            mistakes.append(f"radius: '{self.radius}' is not one of {', '.join(RADIUS_RULES)}")
        if self.method not in METHODS:
            mistakes.append(f"method: '{self.method}' is not one of {', '.join(METHODS)}")
        periods = list(self.period) if isinstance(self.period, list | tuple) else [self.period] * 2
        if len(periods) != 2 or not 2 <= periods[0] <= periods[1]:
            mistakes.append(
                f"period: {self.period}; give keys per turn, 2 or more, or [shortest, longest]"
            )
        for name in ("bootstrap", "null_draws"):
            if getattr(self, name) < 1:
                mistakes.append(f"{name}: {getattr(self, name)}; give 1 or more")
        raise_all(f"helix.{mistake}" for mistake in mistakes)

    @property
    def omega(self) -> Omega:
        """The period as radians per key, or their (lowest, highest)."""
        if not isinstance(self.period, list | tuple):
            return 2 * np.pi / self.period
        shortest, longest = self.period
        return 2 * np.pi / longest, 2 * np.pi / shortest


@dataclass(frozen=True)
class PooledTests:
    """Interval and nulls of the Helicality of the pooled features, as columns of its row."""

    low: float = np.nan  # bootstrap interval over instruments
    high: float = np.nan
    permutation_p: float = np.nan
    smooth_95: float = np.nan
    smooth_p: float = np.nan
    margin_p: float = np.nan


# --- one point


def fit_layers(
    notes: Mapping[Any, np.ndarray], instruments: Sequence[str], settings: HelixSettings,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """The helix of every instrument and of the pooled features: (rows, curves).

    notes: {label: features [instrument, key, dim]}, one label per layer or baseline. Only the
    scalar products of keys matter, so the features are compressed to [..., key, key] first.
    rows: a DataFrame with columns label, instrument, and those that the tables' README lists;
    curves: label, key, and the pooled notes and their fitted curve in the helix's own axes.
    """
    labels = list(notes)
    features = np.stack(
        [
            _centred_and_compressed(np.concatenate([layer, layer.mean(0, keepdims=True)]))
            for layer in notes.values()
        ]
    )  # [label, instrument + 1, key, key]
    scores, shares = reduce(features, settings.components, settings.standardise, explained=True)
    omega, radius = settings.omega, settings.radius
    fits, chosen = fit_triples(scores, omega, radius)
    evidence = octave_evidence(features)
    columns = {
        "helicality": fits.helicality,
        "helicality_12": fit_triples(scores, OCTAVE, radius)[0].helicality,
        **{name: getattr(fits, name) for name in
           ("r2", "height", "chroma", "omega", "period", "radius", "radius_slope",
            "chirality")},
        **{f"explained_{i + 1}": np.take_along_axis(shares, chosen, -1)[..., i] for i in range(3)},
        "folding": evidence.folding,
        "folding_rival": evidence.folding_rival,
        "folding_p": evidence.folding_p,
        "contrast": evidence.contrast,
        "period_free": evidence.period,
        "octave": evidence.octave,
        "flags": np.vectorize(describe_flags, otypes=[object])(fits.flags),
    }  # fmt: skip
    names = [*instruments, POOLED]
    rows = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    rows.insert(0, "label", np.repeat(labels, len(names)))
    rows.insert(1, "instrument", names * len(labels))
    rows.insert(2, "keys", features.shape[-2])
    pooled = rows["instrument"] == POOLED
    tests = [_pooled_tests(layer, settings, seed) for layer in notes.values()]
    for field in fields(PooledTests):
        rows.loc[pooled, field.name] = [getattr(result, field.name) for result in tests]
    rows.loc[pooled, "held_out_octave"] = [_held_out_octave(layer) for layer in notes.values()]
    if settings.method == "trials":
        rows.loc[pooled, "helicality_trials"] = [
            best_of_trials(x[:, :3], omega).max() if np.isfinite(x).all() else np.nan
            for x in scores[:, -1]
        ]
    return rows, _curves(labels, scores[:, -1], fits[:, -1], chosen[:, -1])


def _centred_and_compressed(features):
    """Features [..., key, dim], centred and rotated into `key` dimensions: [..., key, key]."""
    centred = features - features.mean(axis=-2, keepdims=True, dtype=np.float64)
    rotated = compress(centred)
    padding = rotated.shape[-2] - rotated.shape[-1]  # where there are fewer features than keys
    return np.concatenate([rotated, np.zeros((*rotated.shape[:-1], padding))], axis=-1)


def _pooled_tests(features, settings, seed):
    """The PooledTests of features [instrument, key, dim]."""
    omega, radius = settings.omega, settings.radius
    form = {"components": settings.components, "standardise": settings.standardise}
    interval = bootstrap_pooled(
        features, omega, radius, **form, draws=settings.bootstrap, seed=seed
    ).helicality
    if np.isnan(interval.value):  # no fit; the flags of its row say why
        return PooledTests()
    pooled, draws = _centred_and_compressed(features.mean(0)), settings.null_draws
    permuted, _ = fit_triples(permuted_keys(reduce(pooled, **form), draws, seed), omega, radius)
    surrogates = smooth_surrogates(pooled, draws, seed)
    smooth, _ = fit_triples(reduce(surrogates, **form), omega, radius)
    return PooledTests(
        low=float(interval.low),
        high=float(interval.high),
        permutation_p=float(p_value(interval.value, permuted.helicality)),
        smooth_95=float(np.nanquantile(smooth.helicality, 0.95)),
        smooth_p=float(p_value(interval.value, smooth.helicality)),
        margin_p=float(p_value(_folding_margin(pooled), _folding_margin(surrogates))),
    )


def _held_out_octave(features):
    """Accuracy of the pitch class in a held-out octave (chance 1/12); NaN below two octaves."""
    return held_out_octave(features) if features.shape[1] >= 24 else np.nan


def _folding_margin(features):
    """By how much folding at 12 keys exceeds that at the best other period; NaN for few keys."""
    folding = folding_scores(features)
    return folding[..., 0] - np.fmax.reduce(folding[..., 1:], axis=-1)


def _curves(labels, scores, fits, chosen, steps=4):
    """Pooled notes and fitted curves in the helix's own axes, `steps` rows per key."""
    keys = scores.shape[1]
    fine = np.arange(steps * (keys - 1) + 1) / steps
    tables = []
    for row, label in enumerate(labels):
        helix = fits[row]
        axes = np.stack([helix.cosine, helix.sine, helix.axis], axis=1)
        note = np.full((len(fine), 3), np.nan)
        note[::steps] = scores[row][:, chosen[row]] @ axes
        table = pd.DataFrame(
            np.hstack([note, helix.curve(fine) @ axes]),
            columns=["note_x", "note_y", "note_z", "curve_x", "curve_y", "curve_z"],
        )
        table.insert(0, "label", label)
        table.insert(1, "key", fine)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


# --- all points


def summarise_layers(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row per layer of one point (or per baseline of a model).

    rows: those of `fit_layers`, with columns features and layer in place of label. Instruments are
    averaged, with an interval over them; then come the pooled fit and its tests. p-values are
    corrected over the layers given (Benjamini-Hochberg).
    """
    layers = rows[rows["instrument"] != POOLED].groupby(["features", "layer"], sort=False)
    pooled = rows[rows["instrument"] == POOLED].set_index(["features", "layer"])
    intervals = [
        bootstrap_mean(np.array(values), seed=seed) for values in layers["helicality"].agg(list)
    ]
    table = pd.DataFrame(
        {
            "instruments": layers.size(),
            "keys": layers["keys"].first(),
            "helicality": [interval.value for interval in intervals],
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
            "helicality_12": layers["helicality_12"].mean(),
            "r2": layers["r2"].mean(),
            "period": layers["period"].median(),
            "octave_share": layers["octave"].mean(),
        }
    )
    for name in ("helicality", "low", "high", "period", "r2", "chroma"):
        table[f"pooled_{name}".replace("_helicality", "")] = pooled[name]
    for name in ("smooth_95", "smooth_p", "permutation_p", "folding", "folding_rival",
                 "folding_p", "margin_p", "contrast", "held_out_octave"):  # fmt: skip
        table[name] = pooled[name]
    if "helicality_trials" in pooled:
        table["pooled_trials"] = pooled["helicality_trials"]
    for name in ("smooth", "permutation", "folding", "margin"):
        table[f"{name}_q"] = corrected(table[f"{name}_p"])
    table["verdict"] = verdict(table)
    return table.reset_index()


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


def verdict(table: pd.DataFrame) -> np.ndarray:
    """What the pooled notes of each row are, in words, by p-values corrected over layers.

    "octave"        keys twelve apart are alike beyond a trend (folding, 1 %), more than at any
                    other distance, and by more than smooth paths without an octave reach (5 %)
    "smooth path"   the order of the keys matters (permutation, 5 %), but nothing repeats at twelve
    "no structure"  keys in random order fit as well
    "no fit"        features constant, flat or not numbers
    """
    octave = (table["folding"] > table["folding_rival"]) & (table["folding_q"] < FOLDING_LEVEL)
    octave &= table["margin_q"] < DRAWS_LEVEL
    ordered = table["permutation_q"] < DRAWS_LEVEL
    words = np.where(octave, "octave", np.where(ordered, "smooth path", "no structure"))
    return np.where(table["pooled"].isna(), "no fit", words)
