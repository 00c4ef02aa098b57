"""Fit the pitch helix to features without a network: spectra, and the model's codec tokens."""

from pathlib import Path

from rasen import command, stimuli
from rasen.helix.layers import HelixSettings, fit_layers
from rasen.io import parquet
from rasen.measure.notes import (
    RATE,
    codec_token_shares,
    encoded_clips,
    note_grid,
    spectral_features,
)


def fit_baselines(
    clips: Path, inputs: Path, model: str, settings: HelixSettings, seed: int, rows: Path
) -> None:
    """Write one row per baseline and instrument, as fit_helix does for layers."""
    table = parquet.read_table(clips)
    table = table[table["clip"].isin(encoded_clips(inputs)["clip"])].reset_index(drop=True)
    grid = note_grid(table)
    features = spectral_features(stimuli.render_sound(row, RATE) for row in table.itertuples())
    if (shares := codec_token_shares(inputs)) is not None:
        features["codec tokens"] = shares
    notes = {name: values[grid.rows] for name, values in features.items()}
    fits, _ = fit_layers(notes, grid.instruments, settings, seed)
    fits = fits.rename(columns={"label": "features"}).assign(layer=-1)
    parquet.write_table(fits.assign(model=model, point=fits["features"]), rows)


if __name__ == "__main__":
    command.run(fit_baselines)
