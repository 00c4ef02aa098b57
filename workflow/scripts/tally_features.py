"""Tally the features of a layer's main sparse autoencoder."""

from pathlib import Path

from rasen import command
from rasen.families import open_family
from rasen.io import hdf5, parquet
from rasen.io.inputs import Inputs
from rasen.measure.features import classify_by_words, label_by_clips, words_of_rows
from rasen.sae.features import tally as tallies
from rasen.sae.saelens_format import load
from rasen.sae.settings import main_sae
from rasen.study.recipe import Recipe


def tally_features(
    frames: Path, inputs: Path, metrics: Path, recipe: Recipe, layer: int, settings: dict,
    language: str, seed: int, tally: Path, features: Path, examples: Path,
):  # fmt: skip
    """Write all activations, one row per feature with its labels, and its strong examples."""
    sae = main_sae(parquet.read_table(metrics), settings)
    counted = tallies.of_dump(load(metrics.parent / sae), frames, layer)
    with hdf5.open_file(frames) as file:
        about = {"model": str(file.attrs["model"]), "point": str(file.attrs["point"])}
        clips = hdf5.read_table(file, "clips")
    about |= {"layer": layer, "sae": sae}
    shown = tallies.examples(counted)
    table = tallies.table(counted)
    family = open_family(recipe.family, recipe.weights, recipe.options)
    words = words_of_rows(family, Inputs(inputs), counted)
    parts = [label_by_clips(counted, clips, seed)]
    if words is not None:
        shown = tallies.in_context(counted, shown, words)
        parts.append(classify_by_words(family, counted, shown, words, language, seed))
    for part in parts:
        if part is not None:
            table = table.merge(part, on="feature", how="left")
    tallies.write_tally(tally, counted, **about)
    parquet.write_table(shown.assign(**about), examples)
    parquet.write_table(table.assign(**about), features)


if __name__ == "__main__":
    command.run(tally_features)
