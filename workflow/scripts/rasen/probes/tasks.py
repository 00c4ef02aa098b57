"""What a probe shall read from features: a task, and its labels as columns of numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rasen.probes.metrics import DEFAULT_METRICS

KINDS = tuple(DEFAULT_METRICS)


@dataclass(frozen=True)
class Task:
    """Labels of rows of features, and how predictions of them are scored.

    kind "classes": values [rows], names or numbers of classes; chords of frames are classes too
    kind "numbers": values [rows]
    kind "tags":    values [rows, tags], true or false
    kind "frames":  events in frames (beats, boundaries of sections): values [rows], true where one
                    lies in the frame, or its exact time in seconds and NaN where there is none;
                    with clip and time, the clip of each row and the time of its middle
    metrics: names of `rasen.probes.metrics`; the first one chooses lambdas and layers
    rows: which rows of the features are labelled, for tasks that do not cover all
    songs: of each row; predictions of a song's rows are averaged before they are scored
    split: "train", "valid" or "test" of each row, an official split that is followed
    tags: the names of the tags
    """

    kind: str
    values: np.ndarray
    metrics: tuple[str, ...] = ()
    rows: np.ndarray | None = None
    songs: np.ndarray | None = None
    split: np.ndarray | None = None
    clip: np.ndarray | None = None
    time: np.ndarray | None = None
    tags: tuple[str, ...] = ()

    @property
    def scored_by(self) -> tuple[str, ...]:
        """The metrics, by default those of the kind."""
        return self.metrics or DEFAULT_METRICS[self.kind]


def as_task(values: Any) -> Task:
    """A task from plain labels: 2-D booleans are tags, floats numbers, all else classes."""
    if isinstance(values, Task):
        return values
    values = np.asarray(values)
    if values.ndim == 2:
        return Task("tags", values)
    return Task("numbers" if values.dtype.kind == "f" else "classes", values)


@dataclass(frozen=True)
class Target:
    """A task ready to be fitted: labels as numbers, one entry per labelled row.

    truth: codes of classes, numbers, tags [rows, tags], or records of frames
    rows: of the features;  group: code of each row;  song: code of each row, or None
    unit: of each group's resampling (`intervals.units`)
    row: "probe", or "permuted" where the labels are
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    truth: np.ndarray
    rows: np.ndarray
    group: np.ndarray
    song: np.ndarray | None
    unit: np.ndarray
    row: str = "probe"

    def labels(self, places: np.ndarray) -> np.ndarray:
        """What is regressed on, of some labelled rows: float32 [places, columns].

        -1 and 1 per class or tag, or standardised numbers; made when asked for, as all rows' would
        take as much memory as a layer where there are many classes.
        """
        return columns(self.task.kind, self.truth[places], len(self.classes))

    @property
    def width(self) -> int:
        """The number of columns of the labels."""
        return self.truth.shape[1] if self.truth.ndim == 2 else max(1, len(self.classes))


def columns(kind: str, truth: np.ndarray, classes: int) -> np.ndarray:
    """Labels as float32 columns: one per class or tag (-1 and 1), or one of numbers."""
    if kind == "classes":
        return np.where(truth[:, None] == np.arange(classes), 1, -1).astype(np.float32)
    if kind == "tags":
        return np.where(truth, 1, -1).astype(np.float32)
    if kind == "frames":
        return np.where(np.isnan(truth["event"]), -1, 1).astype(np.float32)[:, None]
    return truth.astype(np.float32)[:, None]


def encode(task: Task) -> tuple[np.ndarray, tuple[str, ...]]:
    """The truth of a task and the names of its classes.

    Numbers are standardised over all rows: R2 does not depend on it, and float32 is exact enough.
    """
    values = np.asarray(task.values)
    if task.kind == "classes":
        names, codes = np.unique(values.astype(str), return_inverse=True)
        return codes.astype(np.int64), tuple(names.tolist())
    if task.kind == "tags":
        return values.astype(bool), ()
    if task.kind == "numbers":
        values = values.astype(np.float64)
        return (values - values.mean()) / values.std(), ()
    truth = np.empty(
        len(values), dtype=[("event", np.float64), ("clip", np.int64), ("time", np.float64)]
    )
    truth["time"] = task.time
    truth["clip"] = np.unique(np.asarray(task.clip), return_inverse=True)[1]
    exact = values.dtype.kind == "f"
    truth["event"] = values if exact else np.where(values.astype(bool), truth["time"], np.nan)
    return truth, ()
