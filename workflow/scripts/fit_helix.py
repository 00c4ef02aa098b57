"""Fit the pitch helix to every layer of a model at a point."""

from pathlib import Path

from rasen import command
from rasen.helix.layers import HelixSettings, fit_layers
from rasen.io import parquet
from rasen.measure.notes import keyboard, read_pooled


def fit_helix(
    activations: Path,
    model: str,
    point: str,
    settings: HelixSettings,
    seed: int,
    rows: Path,
    curves: Path,
):
    """Write one row per layer and instrument, and the pooled notes with their curve for figures."""
    clips, layers = read_pooled(activations)
    order, instruments, _ = keyboard(clips)
    notes = {layer: features[order] for layer, features in layers.items()}
    fits, lines = fit_layers(notes, instruments, settings, seed)
    fits = fits.rename(columns={"label": "layer"}).assign(features="network")
    lines = lines.rename(columns={"label": "layer"})
    parquet.write_table(fits.assign(model=model, point=point), rows)
    parquet.write_table(lines.assign(model=model, point=point), curves)


if __name__ == "__main__":
    command.run(fit_helix)
