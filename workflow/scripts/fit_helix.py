"""Fit the pitch helix to every layer of a model at a point, for each of its sets of notes."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.helix.layers import fit_layers
from rasen.helix.settings import HelixSettings
from rasen.io import parquet
from rasen.measure.notes import names_of_draws, note_grid, read_pooled_activations


def fit_helix(
    activations: list[Path],
    stimuli: list[str],
    loudness: Path,
    model: str,
    point: str,
    settings: HelixSettings,
    seed: int,
    rows: Path,
    notes: Path,
) -> None:
    """Write one row per set, layer and instrument, and all notes in the axes of their helices.

    activations, stimuli: of every set of notes; their names
    """
    loud = parquet.read_table(loudness).set_index(["stimuli", "clip"])["loudness"]
    all_fits, all_notes = [], []
    for path, name in zip(activations, stimuli, strict=True):
        clips, layers = read_pooled_activations(path)
        grid = note_grid(clips)
        fits, fitted_notes = fit_layers(
            {layer: features[grid.rows] for layer, features in layers.items()},
            grid.instruments, settings, seed, *names_of_draws(stimuli, name, model, point),
            loudness=loud[name].loc[clips["clip"]].to_numpy()[grid.rows],
            lowest=int(grid.pitches[0]),
        )  # fmt: skip
        all_fits.append(fits.assign(features="network", stimuli=name))
        all_notes.append(fitted_notes.assign(features="network", stimuli=name))
    for tables, file in ((all_fits, rows), (all_notes, notes)):
        table = pd.concat(tables, ignore_index=True).rename(columns={"label": "layer"})
        parquet.write_table(table.assign(model=model, point=point), file)


if __name__ == "__main__":
    command.run(fit_helix)
