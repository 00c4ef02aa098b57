"""What the features of an SAE respond to: words where the model reads text, labels of clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.families import TextFamily
from rasen.io.inputs import Inputs
from rasen.io.sheets import read_sheet
from rasen.sae.features.granularity import classify
from rasen.sae.features.intervals import labels_of_frames
from rasen.sae.features.labels import (
    LEAST_GROUPS,
    LabelData,
    by_clip,
    by_frame,
    first_half,
    judge_labels,
    label_features,
)
from rasen.sae.features.language import language_tendency
from rasen.sae.features.tags import Tags, tags_of_table, with_pitch_class
from rasen.sae.features.tally import Tally
from rasen.sae.features.words import Words

# columns of a sheet that say where a clip is, not what it is
NO_LABELS = {
    "clip", "group", "kind", "path", "text", "sha256", "bytes", "seconds", "seed", "crop",
    "start", "end", "song", "split", "offset", "extrapolation", "window",
}  # fmt: skip


@dataclass(frozen=True)
class LabelSettings:
    """How examples of features are chosen.

    tenths: of the greatest activation, as the published files of Inaba et al. 2025 are rounded
    rate:   [least, greatest] share of the clips in which a feature is active that is `kept`
    top:    clips with the greatest mean activation that are listed of every kept feature
    """

    tenths: bool = False
    rate: Sequence[float] = (0.01, 0.25)
    top: int = 10


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


def read_meanings(path: Path | str) -> dict[str, str]:
    """{word: its meaning} of a sheet with these two columns; words may stand in many rows."""
    table = read_sheet(path, numbers=False)
    missing = [name for name in ("word", "meaning") if name not in table]
    if missing:
        raise RasenError(f"{path}: has no column {', '.join(missing)}; it needs word and meaning")
    return dict(zip(table["word"], table["meaning"], strict=True))


def tags_of_clips(clips: pd.DataFrame, numbers: np.ndarray) -> Tags | None:
    """Tags of some clips, in this order; None where no label divides them.

    clips: the sheet of the dump, one row per clip
    """
    table = with_pitch_class(clips).iloc[numbers].reset_index(drop=True)
    try:
        return tags_of_table(table, [name for name in table if name not in NO_LABELS])
    except RasenError:  # no label that some clips have and others lack
        return None


def label_by_clips(tally: Tally, clips: pd.DataFrame, seed: int) -> pd.DataFrame | None:
    """The best label of every feature, judged on held-out clips; None where clips have no labels
    or are too few.

    clips: the sheet of the dump, one row per clip
    """
    units = by_clip(tally, seed)
    tags = tags_of_clips(clips, units.clip)
    if tags is None or _too_few(units.group):
        return None
    return label_features(units.activations, units.group, tags, seed)


def label_by_intervals(
    tally: Tally, intervals: pd.DataFrame, rate: float, seed: int
) -> pd.DataFrame | None:
    """The best label of frames of every feature, in columns that end in _frame; None as above.

    intervals: of read_intervals; clips that it does not mention do not count
    rate: frames per second
    """
    units = by_frame(tally, seed, among=intervals["clip"].unique())
    if _too_few(units.group):
        return None
    try:
        tags = tags_of_table(labels_of_frames(intervals, units.clip, units.frame, rate))
    except RasenError:
        return None
    table = label_features(units.activations, units.group, tags, seed)
    return table.set_index("feature").add_suffix("_frame").reset_index()


def judge_answers(
    tally: Tally, clips: pd.DataFrame, answers: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Labels that were given from outside (table feature, label, ...), with the columns of
    `judge_labels` for those that are tags; the others stay without.

    They are judged on the half of the clips that the labels of Rasen are judged on.
    """
    units = by_clip(tally, seed)
    tags = tags_of_clips(clips, units.clip)
    if tags is None or _too_few(units.group):
        return answers
    data, first = LabelData(units.activations, units.group, tags), first_half(units.group, seed)
    judged = judge_labels(answers, data.select(first), data.select(~first), seed)
    return answers.merge(judged, on="feature", how="left")


def _too_few(group):
    return len(np.unique(group)) < LEAST_GROUPS
