"""What the features of an SAE respond to: words where the model reads text, labels of clips."""

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.families import TextFamily
from rasen.io.inputs import Inputs
from rasen.sae.features.granularity import classify
from rasen.sae.features.labels import by_clip, label_features
from rasen.sae.features.language import language_tendency
from rasen.sae.features.tags import tags_of_table, with_pitch_class
from rasen.sae.features.tally import Tally

NO_LABELS = {
    "clip",
    "kind",
    "path",
    "text",
    "sha256",
    "bytes",
    "seconds",
    "seed",
    "crop",
}  # of a sheet


def words_of_rows(family: TextFamily, inputs: Inputs, tally: Tally) -> np.ndarray:
    """One string per row of a tally [rows]; inputs: those of the same clips."""
    words_of_clip = [
        np.array(family.words(inputs.clip(clip)), object) for clip in range(len(inputs))
    ]
    rows = zip(tally.clip, tally.frame, strict=True)
    return np.array([words_of_clip[clip][frame] for clip, frame in rows], object)


def classify_by_words(
    family: TextFamily,
    tally: Tally,
    examples: pd.DataFrame,
    words: np.ndarray,
    rule: str,
    seed: int,
) -> pd.DataFrame:
    """Language tendency and granularity of every feature that has examples, a row per feature.

    words: one string per row of the tally;  rule: of the language tendency
    """
    vocabulary, vectors = family.vocabulary()
    classes = classify(tally, examples, words, vocabulary=vocabulary, vectors=vectors, seed=seed)
    tendency = language_tendency(tally, examples, words, rule)
    return tendency.merge(classes.drop(columns="examples"), on="feature")


def label_by_clips(tally: Tally, clips: pd.DataFrame, seed: int) -> pd.DataFrame | None:
    """The best label of every feature, judged on held-out clips; None where clips have no labels.

    clips: the sheet of the dump, one row per clip
    """
    table = with_pitch_class(clips)
    columns = [name for name in table.columns if name not in NO_LABELS]
    try:
        tags = tags_of_table(table, columns)
    except RasenError:  # no label that some clips have and others lack
        return None
    return label_features(*by_clip(tally), tags, seed)
