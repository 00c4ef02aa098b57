"""What the features of an SAE respond to: words where the model reads text, labels of clips."""

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.families import Family, TextFamily
from rasen.io.inputs import Inputs
from rasen.sae.features import granularity, labels, language, tags
from rasen.sae.features.tally import Tally

NO_LABELS = {"clip", "kind", "path", "text", "sha256", "bytes", "seconds", "seed"}  # of a sheet


def words_of_rows(family: Family, inputs: Inputs, tally: Tally) -> np.ndarray | None:
    """One string per row of a tally, or None where the model reads no text.

    inputs: those of the same clips
    """
    if not isinstance(family, TextFamily):
        return None
    clips = [np.array(family.words(inputs.clip(i)), object) for i in range(len(inputs))]
    rows = zip(tally.clip, tally.frame, strict=True)
    return np.array([clips[clip][frame] for clip, frame in rows], object)


def classify_by_words(
    family: TextFamily,
    tally: Tally,
    examples: pd.DataFrame,
    words: np.ndarray,
    rule: str,
    seed: int,
) -> pd.DataFrame:
    """Language tendency and granularity of every feature that has examples, a row per feature."""
    vocabulary, vectors = family.vocabulary()
    classes = granularity.classify(
        tally, examples, words, vocabulary=vocabulary, vectors=vectors, seed=seed
    )
    tendency = language.tendency(tally, examples, words, rule)
    return tendency.merge(classes.drop(columns="examples"), on="feature")


def label_by_clips(tally: Tally, clips: pd.DataFrame, seed: int) -> pd.DataFrame | None:
    """The best label of every feature, judged on held-out clips; None where clips have no labels.

    clips: the sheet of the dump, one row per clip
    """
    table = tags.musical(clips)
    columns = [name for name in table.columns if name not in NO_LABELS]
    try:
        found = tags.of_table(table, columns)
    except RasenError:  # no label that some clips have and others lack
        return None
    return labels.label(*labels.by_clip(tally), found, seed)
