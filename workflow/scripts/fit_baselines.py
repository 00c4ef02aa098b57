"""Fit the pitch helix to features without a network: spectra, and the model's codec tokens."""

from pathlib import Path

import pandas as pd

from rasen import command, stimuli
from rasen.helix.layers import fit_layers
from rasen.helix.settings import HelixSettings
from rasen.io import parquet
from rasen.measure.notes import (
    RATE,
    codec_token_shares,
    encoded_clips,
    measure_sounds,
    note_grid,
)


def fit_baselines(
    clips: Path,
    inputs: Path,
    model: str,
    settings: HelixSettings,
    seed: int,
    rows: Path,
    loudness: Path,
) -> None:
    """Write one row per baseline and instrument, as fit_helix does for layers, and the loudness."""
    table = parquet.read_table(clips)
    table = table[table["clip"].isin(encoded_clips(inputs)["clip"])].reset_index(drop=True)
    grid = note_grid(table)
    sounds = measure_sounds(
        (stimuli.render_sound(row, RATE) for row in table.itertuples()), grid.pitches[0]
    )
    features = dict(sounds.features)
    if (shares := codec_token_shares(inputs)) is not None:
        features["codec tokens"] = shares
    fits, _ = fit_layers(
        {name: values[grid.rows] for name, values in features.items()},
        grid.instruments, settings, seed, model,
        loudness=sounds.loudness[grid.rows], lowest=int(grid.pitches[0]),
    )  # fmt: skip
    fits = fits.rename(columns={"label": "features"}).assign(layer=-1)
    parquet.write_table(fits.assign(model=model, point=fits["features"]), rows)
    parquet.write_table(
        pd.DataFrame({"clip": table["clip"], "loudness": sounds.loudness}), loudness
    )


if __name__ == "__main__":
    command.run(fit_baselines)
