"""Tally the features of a layer's main sparse autoencoder."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from rasen import command
from rasen.device import pick_device
from rasen.families import AudioFamily, TextFamily, open_family
from rasen.io import hdf5, parquet
from rasen.io.inputs import Inputs
from rasen.measure.features import (
    LabelSettings,
    classify_by_words,
    label_by_clips,
    label_by_intervals,
    read_meanings,
    words_of_rows,
)
from rasen.sae.features.intervals import read_intervals
from rasen.sae.features.memory import require_memory
from rasen.sae.features.tally import (
    feature_table,
    open_tally,
    strong_examples,
    top_clips,
    with_context,
    write_tally,
)
from rasen.sae.features.traces import with_activation
from rasen.sae.saelens_format import load
from rasen.sae.settings import main_sae
from rasen.study.recipe import Recipe


def tally_features(
    frames: Path, inputs: Path, metrics: Path, recipe: Recipe, layer: int, settings: dict,
    rows: str, language: str, label: LabelSettings, seed: int, sae_seed: int, device: str,
    memory: int, tally: Path, features: Path, examples: Path, top: Path,
    intervals: Path | None = None, meanings: Path | None = None, tags: Path | None = None,
) -> None:  # fmt: skip
    """Write all activations, one row per feature with its labels, and its examples.

    sae_seed: which of the main SAEs, that differ in their first weights;  seed: of everything else
    intervals: labels of frames;  meanings: of words;  tags: more labels of clips, a row per clip
    """
    name = main_sae(parquet.read_table(metrics), settings, sae_seed)
    sae = load(metrics.parent / name, pick_device(device))
    with hdf5.open_file(frames) as file:
        model, point = str(file.attrs["model"]), str(file.attrs["point"])
        clips = hdf5.read_table(file, "clips")
        count = len(file["rows/clip"])
    require_memory(memory, sae.n, sae.d, count * (sae.k or sae.n) * (1 if rows == "all" else 0.1))
    origin: dict[str, Any] = {"model": model, "point": point, "layer": layer, "sae": name}
    origin["seed"] = sae_seed
    write_tally(tally, sae, frames, layer, seed, rows, origin)
    family = open_family(recipe.family, recipe.weights, recipe.options)
    if tags is not None:
        clips = pd.concat([clips, parquet.read_table(tags)], axis=1)
    with open_tally(tally) as counts:
        table = feature_table(counts)
        table["kept"] = table["clip_rate"].between(*label.rate)
        listed = top_clips(counts, label.top)
        listed = listed[listed["feature"].map(table["kept"])].reset_index(drop=True)
        rate, words = math.nan, None
        shown = strong_examples(counts, tenths=label.tenths)
        analyses = [label_by_clips(counts, clips, seed)]
        if isinstance(family, TextFamily):
            words = words_of_rows(family, Inputs(inputs), counts)
            shown = with_context(counts, shown, words)
            known = read_meanings(meanings) if meanings else None
            analyses.append(classify_by_words(family, counts, shown, words, language, seed, known))
        elif isinstance(family, AudioFamily):
            rate = family.frame_rate
            if intervals:
                times = read_intervals(intervals, list(clips["clip"]))
                analyses.append(label_by_intervals(counts, times, rate, seed))
        listed = with_activation(counts, listed, table["maximum"].to_numpy(), words)
    for analysis in analyses:
        if analysis is not None:
            # both analyses test features: p is that of the labels where there are any
            table = table.merge(analysis, on="feature", how="left", suffixes=("", "_granularity"))
    parquet.write_table(shown.assign(**origin), examples)
    parquet.write_table(listed.assign(frame_rate=rate, stimuli=frames.stem, **origin), top)
    parquet.write_table(table.assign(**origin), features)


if __name__ == "__main__":
    command.run(tally_features, out_of_memory="set `device: cpu` for this model")
