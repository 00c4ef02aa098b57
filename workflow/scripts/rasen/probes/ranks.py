"""ROC-AUC and average precision of tags, under resampling [as scikit-learn defines them]."""

from collections.abc import Callable, Sequence

import numpy as np

MEMORY = 2**22  # numbers of resampled items held at a time
DRAWS = 200  # each draw passes over all items, so there are at most so many


def auc_parts(
    truth: np.ndarray, scores: np.ndarray, unit: np.ndarray, weights: np.ndarray,
    classes: Sequence[str] = (),
) -> np.ndarray:  # fmt: skip
    """Area under the ROC curve of every tag: [draws, tags], NaN where a tag has one answer."""
    return _of_tags(_auc, truth, scores, unit, weights)


def precision_parts(
    truth: np.ndarray, scores: np.ndarray, unit: np.ndarray, weights: np.ndarray,
    classes: Sequence[str] = (),
) -> np.ndarray:  # fmt: skip
    """Average precision of every tag: [draws, tags], NaN where nothing has the tag."""
    return _of_tags(_average_precision, truth, scores, unit, weights)


def _of_tags(
    curve: Callable, truth: np.ndarray, scores: np.ndarray, unit: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    weights = weights[: DRAWS + 1]
    result = np.empty((len(weights), truth.shape[1]))
    block = max(1, MEMORY // max(1, len(truth)))
    for tag in range(truth.shape[1]):
        order = np.argsort(-scores[:, tag], kind="stable")
        ranked, has = scores[order, tag], truth[order, tag]
        last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of each run of ties
        for start in range(0, len(weights), block):
            part = slice(start, start + block)
            drawn = weights[part][:, unit[order]]
            yes = np.cumsum(drawn * has, axis=1)[:, last]
            every = np.cumsum(drawn, axis=1)[:, last]
            with np.errstate(invalid="ignore", divide="ignore"):
                result[part, tag] = curve(yes, every)
    return result


def _auc(yes, every):
    """yes, every [draws, thresholds]: sums of items at or above each threshold."""
    no = every - yes
    steps = np.diff(no, axis=1, prepend=0)
    before = yes - np.diff(yes, axis=1, prepend=0)
    return (steps * (before + yes) / 2).sum(axis=1) / (yes[:, -1] * no[:, -1])


def _average_precision(yes, every):
    gained = np.diff(yes, axis=1, prepend=0)
    precision = np.divide(yes, every, out=np.zeros_like(yes), where=every > 0)
    return (gained * precision).sum(axis=1) / yes[:, -1]
