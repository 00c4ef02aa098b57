"""Fit the pitch helix to features that no network made: spectra, and the model's codec tokens."""

from pathlib import Path

from rasen import command, pitch, stimuli, tables


def fit_baselines(clips: Path, inputs: Path, model: str, settings: dict, seed: int, rows: Path):
    """Write one row a baseline and instrument, as fit_helix does for layers."""
    sheet = tables.read(clips)
    order, instruments, _ = pitch.keyboard(sheet)
    features = pitch.spectra(stimuli.sound(row, pitch.RATE) for row in sheet.itertuples())
    if (bag := pitch.tokens(inputs)) is not None:
        features["codec tokens"] = bag
    notes = {name: each[order] for name, each in features.items()}
    fits, _ = pitch.fits(notes, instruments, settings, seed)
    fits = fits.rename(columns={"label": "features"}).assign(layer=-1)
    tables.write(fits.assign(model=model, point=fits["features"]), rows)


if __name__ == "__main__":
    command.run(fit_baselines)
