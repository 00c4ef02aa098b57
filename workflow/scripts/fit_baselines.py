"""Fit the pitch helix to features without a network: spectra, and the model's codec tokens."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.helix.layers import fit_layers
from rasen.helix.settings import HelixSettings
from rasen.io import parquet
from rasen.measure.notes import (
    RATE,
    codec_token_shares,
    encoded_clips,
    measure_sounds,
    names_of_draws,
    note_grid,
)
from rasen.stimuli import render_sound


def fit_baselines(
    clips: list[Path],
    inputs: list[Path],
    stimuli: list[str],
    model: str,
    settings: HelixSettings,
    seed: int,
    rows: Path,
    loudness: Path,
    notes: Path,
) -> None:
    """Write rows and notes of sets and baselines, as fit_helix for layers, and the loudness.

    clips, inputs, stimuli: of every set of notes; their names
    """
    all_fits, all_notes, all_loudness = [], [], []
    for sheet, encoded, name in zip(clips, inputs, stimuli, strict=True):
        table = parquet.read_table(sheet)
        table = table[table["clip"].isin(encoded_clips(encoded)["clip"])].reset_index(drop=True)
        grid = note_grid(table)
        sounds = measure_sounds(
            (render_sound(row, RATE) for row in table.itertuples()), grid.pitches[0]
        )
        features = dict(sounds.features)
        if (shares := codec_token_shares(encoded)) is not None:
            features["codec tokens"] = shares
        fits, fitted_notes = fit_layers(
            {label: values[grid.rows] for label, values in features.items()},
            grid.instruments, settings, seed, *names_of_draws(stimuli, name, model),
            loudness=sounds.loudness[grid.rows], lowest=int(grid.pitches[0]),
        )  # fmt: skip
        for tables, found in ((all_fits, fits), (all_notes, fitted_notes)):
            found = found.rename(columns={"label": "features"})
            whose = {"layer": -1, "stimuli": name, "model": model, "point": found["features"]}
            tables.append(found.assign(**whose))
        loud = pd.DataFrame({"clip": table["clip"], "loudness": sounds.loudness})
        all_loudness.append(loud.assign(stimuli=name))
    parquet.write_table(pd.concat(all_fits, ignore_index=True), rows)
    parquet.write_table(pd.concat(all_notes, ignore_index=True), notes)
    parquet.write_table(pd.concat(all_loudness, ignore_index=True), loudness)


if __name__ == "__main__":
    command.run(fit_baselines)
