"""What the features of an SAE mean: for texts by their words, for any set by its clips' labels."""

import numpy as np

from rasen.errors import RasenError
from rasen.sae import features

NO_LABELS = {"clip", "kind", "path", "text", "sha256", "bytes", "seconds", "seed"}  # of a sheet


def main_sae(metrics, grid):
    """Name of the SAE whose features are followed: the grid's first values, the best lr."""
    first = {key: value[0] if isinstance(value, list) else value for key, value in grid.items()}
    rows = metrics[metrics["best"]]
    for key in ("kind", "expansion", "normalise") + (("k",) if first["kind"] != "relu" else ()):
        rows = rows[rows[key] == first[key]]
    return rows["sae"].iloc[0]


def words_of(family, inputs, tally):
    """One string a row of a tally, or None where the model reads no words.

    inputs: rasen.inputs.Inputs of the same clips
    """
    if family.reads != "text":
        return None
    of_clips = [np.array(family.words(inputs.clip(i)), object) for i in range(len(inputs))]
    return np.array(
        [of_clips[clip][frame] for clip, frame in zip(tally.clip, tally.frame, strict=True)],
        object,
    )


def by_words(family, tally, examples, words, rule, seed):
    """Language tendency and granularity of every feature that has examples: one row a feature."""
    vocabulary, vectors = family.vocabulary() or (None, None)
    language = features.language.tendency(tally, examples, words, rule)
    classes = features.granularity.classify(
        tally, examples, words, vocabulary=vocabulary, vectors=vectors, seed=seed
    )
    return language.merge(classes.drop(columns="examples"), on="feature")


def by_labels(tally, clips, seed):
    """The best label of every feature, judged on clips that had no say; None without labels.

    clips: the sheet of the dump, one row a clip
    """
    table = features.tags.musical(clips)
    columns = [name for name in table.columns if name not in NO_LABELS]
    try:
        tags = features.tags.of_table(table, columns)
    except RasenError:  # nothing that some clips have and others lack
        return None
    return features.labels.label(*features.labels.by_clip(tally), tags, seed)
