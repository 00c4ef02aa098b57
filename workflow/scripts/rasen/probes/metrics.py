"""How predictions are scored: by sums over units of resampling, so that intervals are cheap.

A metric turns one fold into parts [draws, parts], and the parts of all folds into values [draws].
Most parts are sums over rows (hits, squares), added over folds; those of ranks (ROC-AUC, average
precision) are values per tag, averaged over folds, as scores of two models cannot be ranked
together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from warnings import catch_warnings

import numpy as np

from rasen.probes import events, keys, ranks

Parts = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A number that is larger where predictions are better.

    parts(truth [items, ...], scores [items, columns], unit [items], weights [draws, units],
        classes) -> [draws, parts]: of one fold
    value(parts [folds, draws, parts]) -> [draws]
    chance(truth, classes): the value of the best answer that knows no features
    """

    kinds: tuple[str, ...]
    parts: Parts
    value: Callable[[np.ndarray], np.ndarray]
    chance: Callable[[np.ndarray, Sequence[str]], float]


def summed(statistics: np.ndarray, unit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums of statistics [items, k] over resampled items: [draws, k]."""
    used, place = np.unique(unit, return_inverse=True)
    sums = np.stack([np.bincount(place, column, len(used)) for column in statistics.T], axis=1)
    return weights[:, used] @ sums


def _ratio(parts):
    total = parts.sum(axis=0)
    return total[:, 0] / total[:, 1]


# --- classes


def _accuracy_parts(truth, scores, unit, weights, classes):
    hits = scores.argmax(axis=1) == truth
    return summed(np.stack([hits, np.ones(len(hits))], axis=1), unit, weights)


def _majority(truth, classes):
    return np.bincount(truth).max() / len(truth)


def _f1_parts(truth, scores, unit, weights, classes):
    """Hits, answers and truths of every class, one after another."""
    answer, count = scores.argmax(axis=1), len(classes)
    used, place = np.unique(unit, return_inverse=True)
    sums = [
        np.bincount(place[keep] * count + codes[keep], minlength=len(used) * count)
        for codes, keep in (
            (truth, answer == truth), (answer, slice(None)), (truth, slice(None)),
        )
    ]  # fmt: skip
    return weights[:, used] @ np.hstack([part.reshape(len(used), count) for part in sums])


def _macro_f1(parts):
    """Mean of 2 hits / (answers + truths) over the classes that occur in either [scikit-learn]."""
    hits, answers, truths = np.split(parts.sum(axis=0), 3, axis=1)
    both = answers + truths
    f1 = np.divide(2 * hits, both, out=np.full(hits.shape, np.nan), where=both > 0)
    return np.nanmean(f1, axis=1)


def _guessing_f1(truth, classes):
    """Guesses as frequent as the classes hit each with its own frequency: F1 = p, 1/C on average.
    The most frequent class alone has less, 2p / (1 + p) / C."""
    return 1 / len(np.unique(truth))


# --- keys


def _key_parts(truth, scores, unit, weights, classes):
    worth = keys.table(classes)[truth, scores.argmax(axis=1)]
    return summed(np.stack([worth, np.ones(len(worth))], axis=1), unit, weights)


def _best_key(truth, classes):
    return keys.table(classes)[truth].mean(axis=0).max()


# --- numbers


def _r2_parts(truth, scores, unit, weights, classes):
    error = (truth - scores[:, 0]) ** 2
    return summed(np.stack([error, truth**2, truth, np.ones(len(truth))], axis=1), unit, weights)


def _r2(parts):
    error, squares, total, count = parts.sum(axis=0).T
    return 1 - error / (squares - total**2 / count)


# --- tags


def _mean_of_tags(parts):
    """Mean over folds, then over tags; a tag without both answers in a fold is left out there."""
    with catch_warnings(action="ignore", category=RuntimeWarning):  # all NaN gives NaN
        return np.nanmean(np.nanmean(parts, axis=0), axis=1)


# --- events in frames


def _event_parts(truth, scores, unit, weights, classes, tolerance):
    clip, value = events.clip_scores(truth, scores[:, 0], tolerance)
    of_clip = dict(zip(truth["clip"].tolist(), unit.tolist(), strict=True))
    unit = np.array([of_clip[one] for one in clip.tolist()])
    return summed(np.stack([value, np.ones(len(value))], axis=1), unit, weights)


def _events(tolerance):
    return Metric(
        ("frames",),
        partial(_event_parts, tolerance=tolerance),
        _ratio,
        lambda truth, classes: events.metronome(truth, tolerance),
    )


METRICS = {
    "accuracy": Metric(("classes",), _accuracy_parts, _ratio, _majority),
    "macro_f1": Metric(("classes",), _f1_parts, _macro_f1, _guessing_f1),
    "key_score": Metric(("classes",), _key_parts, _ratio, _best_key),
    "r2": Metric(("numbers",), _r2_parts, _r2, lambda truth, classes: 0.0),
    "roc_auc": Metric(("tags",), ranks.auc_parts, _mean_of_tags, lambda truth, classes: 0.5),
    "average_precision": Metric(
        ("tags",), ranks.precision_parts, _mean_of_tags, lambda truth, classes: truth.mean()
    ),
    "beat_f": _events(0.07),
    "boundary_f_0.5": _events(0.5),
    "boundary_f_3": _events(3.0),
}
DEFAULT_METRICS = {
    "classes": ("accuracy", "macro_f1"),
    "numbers": ("r2",),
    "tags": ("average_precision", "roc_auc"),
    "frames": ("beat_f",),
}
