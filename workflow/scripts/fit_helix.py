"""Fit the pitch helix to every layer of a model at a point."""

from pathlib import Path

from rasen import command, pitch, tables


def fit_helix(
    activations: Path, model: str, point: str, settings: dict, seed: int, rows: Path, curves: Path
):
    """Write one row a layer and instrument, and the pooled notes with their curve for pictures."""
    clips, layers = pitch.activations(activations)
    order, instruments, _ = pitch.keyboard(clips)
    notes = {layer: features[order] for layer, features in layers.items()}
    fits, lines = pitch.fits(notes, instruments, settings, seed)
    fits = fits.rename(columns={"label": "layer"}).assign(features="network")
    tables.write(fits.assign(model=model, point=point), rows)
    tables.write(lines.rename(columns={"label": "layer"}).assign(model=model, point=point), curves)


if __name__ == "__main__":
    command.run(fit_helix)
