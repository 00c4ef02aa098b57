"""The pitch helix of a model's layers as tables: fits of every layer and instrument, and verdicts.

Features of single notes in, [instrument, key, dim] a layer (or a baseline); tidy rows out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rasen.helix.bootstrap import bootstrap_mean, bootstrap_pooled
from rasen.helix.fitting import OCTAVE, describe, fit_triples
from rasen.helix.nulls import permuted, random_baseline, smooth_surrogates
from rasen.helix.octave import fold, held_out_octave, octave_evidence
from rasen.helix.reduction import reduce
from rasen.helix.trials import best_of_trials
from rasen.stats import corrected, p_value

POOLED = "pooled"  # the "instrument" of rows about the mean of all instruments' features
SURE = 0.01  # significance that folding must reach, as in octave_evidence
LIKELY = 0.05  # significance of what is tested by draws
TESTS = ("low", "high", "permutation_p", "smooth_95", "smooth_p", "margin_p")  # of pooled rows


@dataclass(frozen=True)
class HelixSettings:
    """How helices are fitted and tested; the section `helix` of the config.

    period: keys a turn, a number or (shortest, longest);  method: "exact", or "trials" beside it
    bootstrap, null_draws: resamples of the instruments, and draws of each null
    """

    components: int
    period: float | list[float]
    radius: str
    standardise: bool
    method: str
    bootstrap: int
    null_draws: int

    @property
    def omega(self) -> float | tuple[float, float]:
        """The period as radians a key, or their (lowest, highest)."""
        if not isinstance(self.period, list | tuple):
            return 2 * np.pi / self.period
        shortest, longest = self.period
        return 2 * np.pi / longest, 2 * np.pi / shortest


# --- one point


def fit_layers(notes, instruments, settings, seed):
    """The helix of every instrument and of the pooled features: (rows, curves).

    notes: {label: features [instrument, key, dim]}, a label a layer or a baseline. All that is
    asked of them needs only the scalar products of keys, so they shrink to [..., key, key] first.
    rows: a DataFrame with columns label, instrument, and what the tables' README lists;
    curves: label, key, and the pooled notes and their fitted curve in the helix's own axes.
    """
    labels = list(notes)
    with_mean = [np.concatenate([each, each.mean(0, keepdims=True)]) for each in notes.values()]
    small = np.stack([_shrunk(each) for each in with_mean])  # [label, instrument + 1, key, key]
    scores, shares = reduce(small, settings.components, settings.standardise, explained=True)
    omega, radius = settings.omega, settings.radius
    fits, chosen = fit_triples(scores, omega, radius)
    evidence = octave_evidence(small)
    columns = {
        "helicality": fits.helicality,
        "helicality_12": fit_triples(scores, OCTAVE, radius)[0].helicality,
        **{name: getattr(fits, name) for name in
           ("r2", "height", "chroma", "omega", "period", "radius", "slope", "chirality")},
        **{f"explained_{i + 1}": np.take_along_axis(shares, chosen, -1)[..., i] for i in range(3)},
        "folding": evidence.folding,
        "folding_rival": evidence.folding_rival,
        "folding_p": evidence.folding_p,
        "contrast": evidence.contrast,
        "period_free": evidence.period,
        "octave": evidence.octave,
        "flags": np.vectorize(describe, otypes=[object])(fits.flags),
    }  # fmt: skip
    names = [*instruments, POOLED]
    rows = pd.DataFrame({name: each.ravel() for name, each in columns.items()})
    rows.insert(0, "label", np.repeat(labels, len(names)))
    rows.insert(1, "instrument", names * len(labels))
    rows.insert(2, "keys", small.shape[-2])
    pooled = rows["instrument"] == POOLED
    tests = [_worth(each, settings, seed) for each in notes.values()]
    for name in tests[0]:
        rows.loc[pooled, name] = [each[name] for each in tests]
    rows.loc[pooled, "held_out_octave"] = [_held_out_octave(each) for each in notes.values()]
    if settings.method == "trials":
        rows.loc[pooled, "helicality_trials"] = [
            best_of_trials(each[:, :3], omega).max() if np.isfinite(each).all() else np.nan
            for each in scores[:, -1]
        ]
    return rows, _curves(labels, scores[:, -1], fits[:, -1], chosen[:, -1])


def _shrunk(features):
    """Features [..., key, dim], centred and turned into `key` dimensions: [..., key, key]."""
    centred = features - features.mean(axis=-2, keepdims=True, dtype=np.float64)
    turned = np.swapaxes(np.linalg.qr(np.swapaxes(centred, -1, -2), mode="r"), -1, -2)
    lacking = turned.shape[-2] - turned.shape[-1]  # where there are fewer features than keys
    return np.concatenate([turned, np.zeros((*turned.shape[:-1], lacking))], axis=-1)


def _worth(features, settings, seed):
    """What the pooled helix of features [instrument, key, dim] is worth: interval and nulls."""
    omega, radius = settings.omega, settings.radius
    form = {"components": settings.components, "standardise": settings.standardise}
    interval = bootstrap_pooled(
        features, omega, radius, **form, draws=settings.bootstrap, seed=seed
    )["helicality"]
    if np.isnan(interval.value):  # no fit; the flags of its row say why
        return dict.fromkeys(TESTS, np.nan)
    pooled, draws = _shrunk(features.mean(0)), settings.null_draws
    shuffled = fit_triples(permuted(reduce(pooled, **form), draws, seed), omega, radius)
    smooth = smooth_surrogates(pooled, draws, seed)
    on_smooth, _ = fit_triples(reduce(smooth, **form), omega, radius)
    numbers = (
        interval.low,
        interval.high,
        p_value(interval.value, shuffled[0].helicality),
        np.nanquantile(on_smooth.helicality, 0.95),
        p_value(interval.value, on_smooth.helicality),
        p_value(_margin(pooled), _margin(smooth)),
    )
    return dict(zip(TESTS, map(float, numbers), strict=True))


def _held_out_octave(features):
    """Accuracy of the pitch class in an octave not seen (chance 1/12); NaN below two octaves."""
    return held_out_octave(features) if features.shape[1] >= 24 else np.nan


def _margin(features):
    """By how much folding at 12 keys exceeds that at the best other period; NaN for few keys."""
    folds = fold(features)
    return folds[..., 0] - np.fmax.reduce(folds[..., 1:], axis=-1)


def _curves(labels, scores, found, chosen, steps=4):
    """Pooled notes and fitted curves in the helix's own axes, `steps` rows a key."""
    keys = scores.shape[1]
    fine = np.arange(steps * (keys - 1) + 1) / steps
    parts = []
    for label, points, one, triple in zip(labels, scores, found, chosen, strict=True):
        axes = np.stack([one.cosine, one.sine, one.axis], axis=1)
        note = np.full((len(fine), 3), np.nan)
        note[::steps] = points[:, triple] @ axes
        table = pd.DataFrame(
            np.hstack([note, one.curve(fine) @ axes]),
            columns=["note_x", "note_y", "note_z", "curve_x", "curve_y", "curve_z"],
        )
        table.insert(0, "label", label)
        table.insert(1, "key", fine)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


# --- all points


def summarise_layers(rows, seed):
    """One row a layer of one point (or one baseline of a model) from the rows of `fits`.

    Instruments are averaged, with an interval over them; the pooled fit stands beside with all
    that tests it. p-values are corrected over the layers given (Benjamini-Hochberg).
    """
    each = rows[rows["instrument"] != POOLED].groupby(["features", "layer"], sort=False)
    pooled = rows[rows["instrument"] == POOLED].set_index(["features", "layer"])
    values = each["helicality"].agg(list)
    draws = [bootstrap_mean(np.array(one), seed=seed) for one in values]
    table = pd.DataFrame(
        {
            "instruments": each.size(),
            "keys": each["keys"].first(),
            "helicality": [one.value for one in draws],
            "low": [one.low for one in draws],
            "high": [one.high for one in draws],
            "helicality_12": each["helicality_12"].mean(),
            "r2": each["r2"].mean(),
            "period": each["period"].median(),
            "octave_share": each["octave"].mean(),
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


def add_random_baselines(table, settings, seed):
    """`table` with what one fit to features in no order reaches: mean and 95 % quantile.

    With the period free (random_) and at 12 keys (random_12_). NaN when components are not
    standardised: Helicality then depends on the features' scale.
    """
    radius, components = settings.radius, settings.components
    for name, omega in (("random", settings.omega), ("random_12", OCTAVE)):
        for keys in table["keys"].unique():
            null = np.array([np.nan])
            if settings.standardise:
                null = random_baseline(keys, omega, radius, components=components, seed=seed)
            here = table["keys"] == keys
            table.loc[here, f"{name}_mean"] = null.mean()
            table.loc[here, f"{name}_95"] = np.quantile(null, 0.95)
    return table


def verdict(table):
    """What the pooled notes of each row are, in words. p-values corrected over layers decide.

    "octave"        keys twelve apart are alike beyond a trend (folding, 1 %), more than at any
                    other distance, and by more than smooth paths without an octave reach (5 %)
    "smooth path"   the order of the keys matters (permutation, 5 %), but nothing repeats at twelve
    "no structure"  a shuffled keyboard fits as well
    "no fit"        features constant, flat or not numbers
    """
    octave = (table["folding"] > table["folding_rival"]) & (table["folding_q"] < SURE)
    octave &= table["margin_q"] < LIKELY
    ordered = table["permutation_q"] < LIKELY
    words = np.where(octave, "octave", np.where(ordered, "smooth path", "no structure"))
    return np.where(table["pooled"].isna(), "no fit", words)
