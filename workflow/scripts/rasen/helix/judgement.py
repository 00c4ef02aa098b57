"""A whole model in one call."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rasen.helix.layers import fit_layers
from rasen.helix.settings import HelixSettings
from rasen.helix.summary import add_random_baselines, add_verdicts, summarise_layers


def judge(
    features: np.ndarray | Sequence[np.ndarray], lowest: int = 48, seed: int = 0,
    settings: HelixSettings | None = None, loudness: np.ndarray | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The helix of every layer, its tests and a verdict: one row per layer.

    features: [layer, instrument, key, dim] of single notes that rise by semitones, averaged over
    time; a list of [instrument, key, dim] where layers differ in width
    lowest: MIDI pitch of the first key;  loudness: of the notes [instrument, key], controlled for
    The columns are those of results/tables/helix.parquet, which the same functions make; p-values
    are corrected over the layers given.
    """
    settings = settings or HelixSettings()
    names = [str(number) for number in range(len(features[0]))]
    layers = dict(enumerate(np.asarray(layer) for layer in features))
    rows, _ = fit_layers(layers, names, settings, seed, loudness=loudness, lowest=lowest)
    rows = rows.rename(columns={"label": "layer"}).assign(features="network")
    table = add_verdicts(summarise_layers(rows))
    return add_random_baselines(table, settings, seed)
