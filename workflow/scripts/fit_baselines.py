"""Fit the pitch helix to features without a network: spectra, and the model's codec tokens."""

from pathlib import Path

from rasen import command, stimuli
from rasen.helix.layers import HelixSettings, fit_layers
from rasen.io import parquet
from rasen.measure.notes import RATE, keyboard, spectra, token_shares


def fit_baselines(
    clips: Path, inputs: Path, model: str, settings: HelixSettings, seed: int, rows: Path
):
    """Write one row per baseline and instrument, as fit_helix does for layers."""
    sheet = parquet.read_table(clips)
    order, instruments, _ = keyboard(sheet)
    features = spectra(stimuli.sound(row, RATE) for row in sheet.itertuples())
    if (shares := token_shares(inputs)) is not None:
        features["codec tokens"] = shares
    notes = {name: values[order] for name, values in features.items()}
    fits, _ = fit_layers(notes, instruments, settings, seed)
    fits = fits.rename(columns={"label": "features"}).assign(layer=-1)
    parquet.write_table(fits.assign(model=model, point=fits["features"]), rows)


if __name__ == "__main__":
    command.run(fit_baselines)
