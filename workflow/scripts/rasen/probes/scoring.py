"""From predictions of a fold's rows to the parts of a metric: songs averaged, groups resampled."""

from dataclasses import dataclass

import numpy as np

from rasen.probes.metrics import METRICS
from rasen.probes.tasks import Target


@dataclass(frozen=True)
class Prediction:
    """Of one test fold. scores [rows of the fold, columns]; inner: what lambda was chosen by."""

    scores: np.ndarray
    strength: float
    inner: float


@dataclass(frozen=True)
class Items:
    """What is scored: rows, or songs with their rows' scores averaged."""

    truth: np.ndarray
    unit: np.ndarray
    first: np.ndarray  # row of each item
    song: np.ndarray | None  # item of each row

    @classmethod
    def of(cls, target: Target, places: np.ndarray) -> "Items":
        """Of some labelled rows."""
        first, song = np.arange(len(places)), None
        if target.song is not None:
            _, first, song = np.unique(target.song[places], return_index=True, return_inverse=True)
        rows = places[first]
        return cls(target.truth[rows], target.unit[target.group[rows]], rows, song)

    def average(self, scores: np.ndarray) -> np.ndarray:
        """Scores [rows, columns] of the items."""
        if self.song is None:
            return scores
        sums = [np.bincount(self.song, column, len(self.first)) for column in scores.T]
        return np.stack(sums, axis=1) / np.bincount(self.song)[:, None]


def fold_parts(
    target: Target, metric: str, places: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Parts [draws, k] of a metric on one fold."""
    items = Items.of(target, places)
    parts = METRICS[metric].parts
    return parts(items.truth, items.average(scores), items.unit, weights, target.classes)


class InnerScores:
    """The first metric of a task on inner folds, for several strengths; and the best strength."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.metric = target.task.scored_by[0]
        self.parts: list[np.ndarray] = []  # per inner fold [strengths, k]
        self.once = np.ones((1, int(target.unit.max()) + 1))

    def add(self, places: np.ndarray, scores: np.ndarray) -> None:
        """scores [rows of an inner fold, strengths, columns]"""
        items = Items.of(self.target, places)
        parts, classes = METRICS[self.metric].parts, self.target.classes
        found = [
            parts(items.truth, items.average(scores[:, k]), items.unit, self.once, classes)[0]
            for k in range(scores.shape[1])
        ]
        self.parts.append(np.array(found))

    def best(self) -> tuple[int, float]:
        """Place and score of the best strength; of equal ones the last, the strongest penalty."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = METRICS[self.metric].value(np.array(self.parts))
        known = np.where(np.isnan(values), -np.inf, values)
        place = len(known) - 1 - int(np.argmax(known[::-1]))
        return place, float(values[place])
