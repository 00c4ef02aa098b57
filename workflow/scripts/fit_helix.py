"""Fit the pitch helix to every layer of a model at a point."""

from pathlib import Path

from rasen import command
from rasen.helix.layers import fit_layers
from rasen.helix.settings import HelixSettings
from rasen.io import parquet
from rasen.measure.notes import note_grid, read_pooled_activations


def fit_helix(
    activations: Path,
    loudness: Path,
    model: str,
    point: str,
    settings: HelixSettings,
    seed: int,
    rows: Path,
    curves: Path,
) -> None:
    """Write one row per layer and instrument, and the pooled notes with their curve for figures."""
    clips, layers = read_pooled_activations(activations)
    grid = note_grid(clips)
    loud = parquet.read_table(loudness).set_index("clip")["loudness"]
    fits, fitted_curves = fit_layers(
        {layer: features[grid.rows] for layer, features in layers.items()},
        grid.instruments, settings, seed, model, point,
        loudness=loud.loc[clips["clip"]].to_numpy()[grid.rows], lowest=int(grid.pitches[0]),
    )  # fmt: skip
    fits = fits.rename(columns={"label": "layer"}).assign(features="network")
    fitted_curves = fitted_curves.rename(columns={"label": "layer"})
    parquet.write_table(fits.assign(model=model, point=point), rows)
    parquet.write_table(fitted_curves.assign(model=model, point=point), curves)


if __name__ == "__main__":
    command.run(fit_helix)
