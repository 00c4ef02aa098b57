"""Tally the features of a layer's main sparse autoencoder."""

from pathlib import Path

from rasen import command, meaning, store, tables
from rasen.families import open_family
from rasen.inputs import Inputs
from rasen.sae import features as stage
from rasen.sae import load


def tally_features(
    frames: Path, inputs: Path, metrics: Path, recipe: dict, layer: int, settings: dict,
    language: str, seed: int, tally: Path, features: Path, examples: Path,
):  # fmt: skip
    """Write all activations, one row a feature with what it means, and its strong examples."""
    sae = meaning.main_sae(tables.read(metrics), settings)
    found = stage.tally.of_dump(load(metrics.parent / sae), frames, layer)
    with store.open_file(frames) as file:
        about = {"model": str(file.attrs["model"]), "point": str(file.attrs["point"])}
        clips = store.read_table(file, "clips")
    about |= {"layer": layer, "sae": sae}
    shown = stage.tally.examples(found)
    table = stage.tally.table(found)
    family = open_family(recipe["family"], recipe["weights"], recipe["options"])
    words = meaning.words_of(family, Inputs(inputs), found)
    parts = [meaning.by_labels(found, clips, seed)]
    if words is not None:
        shown = stage.tally.in_context(found, shown, words)
        parts.append(meaning.by_words(family, found, shown, words, language, seed))
    for part in parts:
        if part is not None:
            table = table.merge(part, on="feature", how="left")
    stage.tally.write(tally, found, **about)
    tables.write(shown.assign(**about), examples)
    tables.write(table.assign(**about), features)


if __name__ == "__main__":
    command.run(tally_features)
