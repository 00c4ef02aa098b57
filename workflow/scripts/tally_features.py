"""Tally the features of a layer's main sparse autoencoder."""

from pathlib import Path
from typing import Any

from rasen import command
from rasen.device import pick_device
from rasen.families import TextFamily, open_family
from rasen.io import hdf5, parquet
from rasen.io.inputs import Inputs
from rasen.measure.features import classify_by_words, label_by_clips, words_of_rows
from rasen.sae.features.memory import require_memory
from rasen.sae.features.tally import (
    feature_table,
    open_tally,
    strong_examples,
    with_context,
    write_tally,
)
from rasen.sae.saelens_format import load
from rasen.sae.settings import main_sae
from rasen.study.recipe import Recipe


def tally_features(
    frames: Path, inputs: Path, metrics: Path, recipe: Recipe, layer: int, settings: dict,
    rows: str, language: str, seed: int, device: str, memory: int, tally: Path, features: Path,
    examples: Path,
) -> None:  # fmt: skip
    """Write all activations, one row per feature with its labels, and its strong examples."""
    name = main_sae(parquet.read_table(metrics), settings)
    sae = load(metrics.parent / name, pick_device(device))
    with hdf5.open_file(frames) as file:
        model, point = str(file.attrs["model"]), str(file.attrs["point"])
        clips = hdf5.read_table(file, "clips")
        count = len(file["rows/clip"])
    require_memory(memory, sae.n, sae.d, count * (sae.k or sae.n) * (1 if rows == "all" else 0.1))
    origin: dict[str, Any] = {"model": model, "point": point, "layer": layer, "sae": name}
    write_tally(tally, sae, frames, layer, seed, rows, **origin)
    family = open_family(recipe.family, recipe.weights, recipe.options)
    with open_tally(tally) as counts:
        table, shown = feature_table(counts), strong_examples(counts)
        analyses = [label_by_clips(counts, clips, seed)]
        if isinstance(family, TextFamily):
            words = words_of_rows(family, Inputs(inputs), counts)
            shown = with_context(counts, shown, words)
            analyses.append(classify_by_words(family, counts, shown, words, language, seed))
    for analysis in analyses:
        if analysis is not None:
            # both analyses test features: p is that of the labels where there are any
            table = table.merge(analysis, on="feature", how="left", suffixes=("", "_granularity"))
    parquet.write_table(shown.assign(**origin), examples)
    parquet.write_table(table.assign(**origin), features)


if __name__ == "__main__":
    command.run(tally_features)
