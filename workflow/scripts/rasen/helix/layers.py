"""The pitch helix of a model's layers as tables: fits of every layer and instrument.

Features of single notes in, [instrument, key, dim] per layer (or baseline); tidy rows out.
`summary.py` makes one row per layer and a verdict of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from rasen.helix.fitting import OCTAVE, describe_flags, fit_triples
from rasen.helix.octave import octave_evidence
from rasen.helix.pooled import PooledTests, pooled_tests
from rasen.helix.reduction import centred_and_compressed, reduce
from rasen.helix.settings import HelixSettings
from rasen.helix.trials import best_of_trials

POOLED = "pooled"  # the "instrument" of rows about the mean of all instruments' features


def fit_layers(
    notes: Mapping[Any, np.ndarray], instruments: Sequence[str], settings: HelixSettings,
    seed: int, *names: object, loudness: np.ndarray | None = None, lowest: int = 48,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """The helix of every instrument and of the pooled features: (rows, curves).

    notes: {label: features [instrument, key, dim]}, one label per layer or baseline. Only the
    scalar products of keys matter, so the features are compressed to [..., key, key] first.
    names: of the model and the point, so that every point has random numbers of its own
    loudness: of the notes [instrument, key], to be controlled for;  lowest: MIDI pitch of key 0
    rows: a DataFrame with columns label, instrument, and those that the tables' README lists;
    curves: label, key, lowest, and the pooled notes and their fitted curve in the helix's own axes.
    """
    labels = list(notes)
    features = np.stack(
        [
            centred_and_compressed(np.concatenate([layer, layer.mean(0, keepdims=True)]))
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
    every = [*instruments, POOLED]
    rows = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    rows.insert(0, "label", np.repeat(labels, len(every)))
    rows.insert(1, "instrument", every * len(labels))
    rows.insert(2, "keys", features.shape[-2])
    rows.insert(3, "lowest", lowest)
    rows["draws"] = settings.draws
    pooled = rows["instrument"] == POOLED
    tests = [
        pooled_tests(layer, settings, loudness, seed, *names, label)
        for label, layer in notes.items()
    ]
    for field in fields(PooledTests):
        rows.loc[pooled, field.name] = [getattr(result, field.name) for result in tests]
    if settings.method == "trials":
        rows.loc[pooled, "helicality_trials"] = [
            best_of_trials(x[:, :3], omega).max() if np.isfinite(x).all() else np.nan
            for x in scores[:, -1]
        ]
    curves = _curves(labels, scores[:, -1], fits[:, -1], chosen[:, -1])
    return rows, curves.assign(lowest=lowest)


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
