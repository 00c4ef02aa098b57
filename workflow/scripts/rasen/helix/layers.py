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

PLACE = ["x", "y", "z"]  # of a note
CURVE = ["omega", "radius", "radius_slope", "level", "rise"]  # of a fit
POOLED = "pooled"  # the "instrument" of rows about the mean of all instruments' features


def fit_layers(
    notes: Mapping[Any, np.ndarray], instruments: Sequence[str], settings: HelixSettings,
    seed: int, *names: object, loudness: np.ndarray | None = None, lowest: int = 48,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """The helix of every instrument and of the pooled features: (rows, notes).

    notes: {label: features [instrument, key, dim]}, one label per layer or baseline. Only the
    scalar products of keys matter, so the features are compressed to [..., key, key] first.
    names: of the model and the point, so that every point has random numbers of its own
    loudness: of the notes [instrument, key], to be controlled for;  lowest: MIDI pitch of key 0
    rows: a DataFrame with columns label, instrument, and those that the tables' README lists;
    notes: those of every fit in the axes of its helix, and its curve's numbers (`_in_own_axes`).
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
    notes_in_axes = _in_own_axes(labels, every, scores, fits, chosen)
    return rows, notes_in_axes.assign(lowest=lowest)


def _in_own_axes(labels, instruments, scores, fits, chosen):
    """A row per label, instrument and key: the note in the axes (cosine, sine, axis) of its helix.

    Columns x, y, z and, the same for all keys of a fit, those of CURVE. At key t the curve is
        x = r cos(omega t),  y = r sin(omega t),  z = level + rise t,  r = radius + radius_slope t,
    so that radius and level are those at key 0, not at the middle key as in `Helix`.
    """
    axes = np.stack([fits.cosine, fits.sine, fits.axis], axis=-1)  # [label, instrument, 3, 3]
    notes = np.take_along_axis(scores, chosen[:, :, None, :], -1) @ axes
    keys = notes.shape[2]
    middle = (keys - 1) / 2
    curve = {
        "omega": fits.omega,
        "radius": fits.radius - fits.radius_slope * middle,
        "radius_slope": fits.radius_slope,
        "level": fits.level - fits.rise * middle,
        "rise": fits.rise,
    }
    table = pd.DataFrame(notes.reshape(-1, 3).astype(np.float32), columns=PLACE)
    table.insert(0, "label", np.repeat(labels, len(instruments) * keys))
    table.insert(1, "instrument", np.tile(np.repeat(instruments, keys), len(labels)))
    table.insert(2, "key", np.tile(np.arange(keys), len(labels) * len(instruments)))
    for name in CURVE:
        table[name] = np.repeat(curve[name].ravel(), keys)
    return table
