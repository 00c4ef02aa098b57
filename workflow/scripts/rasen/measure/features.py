"""What the features of an SAE respond to: words where the model reads text, labels of clips."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.families import TextFamily
from rasen.io.inputs import Inputs
from rasen.sae.features.granularity import classify
from rasen.sae.features.labels import LEAST_GROUPS, by_clip, label_features
from rasen.sae.features.language import language_tendency
from rasen.sae.features.tags import tags_of_table, with_pitch_class
from rasen.sae.features.tally import Tally
from rasen.sae.features.words import Words

# columns of a sheet that say where a clip is, not what it is
NO_LABELS = {
    "clip", "group", "kind", "path", "text", "sha256", "bytes", "seconds", "seed",
}  # fmt: skip


def words_of_rows(family: TextFamily, inputs: Inputs, tally: Tally) -> Words:
    """The word of every row of a tally;  inputs: those of the same clips."""
    clips = tally.clips
    encoded = inputs.some(clips.number)
    return Words(
        family.words(clip)[tally.skip : tally.skip + rows]
        for clip, rows in zip(encoded, clips.rows, strict=True)
    )


def classify_by_words(
    family: TextFamily,
    tally: Tally,
    examples: pd.DataFrame,
    words: Words,
    rule: str,
    seed: int,
    meanings: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Language tendency and granularity of every feature that has examples, a row per feature.

    words: of the rows of the tally;  rule: of the language tendency
    meanings: {word: name of its meaning}, shared by synonyms and translations
    """
    vocabulary, vectors = family.vocabulary()
    classes = classify(tally, examples, words, meanings, vocabulary, vectors, seed)
    tendency = language_tendency(tally, examples, words, rule)
    return tendency.merge(classes.drop(columns="examples"), on="feature")


def label_by_clips(tally: Tally, clips: pd.DataFrame, seed: int) -> pd.DataFrame | None:
    """The best label of every feature, judged on held-out clips; None where clips have no labels.

    clips: the sheet of the dump, one row per clip
    """
    units = by_clip(tally, seed)
    table = with_pitch_class(clips).iloc[units.clip].reset_index(drop=True)
    columns = [name for name in table.columns if name not in NO_LABELS]
    try:
        tags = tags_of_table(table, columns)
    except RasenError:  # no label that some clips have and others lack
        return None
    if len(np.unique(units.group)) < LEAST_GROUPS:
        return None
    return label_features(units.activations, units.group, tags, seed)
