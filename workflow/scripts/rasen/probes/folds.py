"""Which rows are left out when: folds of whole groups, of rows, or an official split.

A model is named by the folds that it was not fitted on. So one model serves all that ask for it:
without folds 1 and 2 it chooses lambda for test fold 1 (on fold 2) and for test fold 2 (on fold 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rasen.seeds import generator

GROUPED, RANDOM, GIVEN = "grouped", "random", "given"
LeftOut = frozenset[int]
Labels = Sequence[tuple[str, np.ndarray]]  # kind of each task, and its truth [rows, ...]


@dataclass(frozen=True)
class Outer:
    """One test fold, the model that predicts it, and the (model, fold) on which it is chosen."""

    test: int
    left_out: LeftOut
    inner: tuple[tuple[LeftOut, int], ...]


@dataclass(frozen=True)
class Plan:
    """The folds of one split. fold: of each labelled row [rows]."""

    split: str
    fold: np.ndarray
    outer: tuple[Outer, ...]

    def rows(self, fold: int) -> np.ndarray:
        """The places of a fold's rows among the labelled ones."""
        return np.flatnonzero(self.fold == fold)

    def without(self, left_out: LeftOut) -> np.ndarray:
        """The places of the rows that a model is fitted on."""
        return np.flatnonzero(~np.isin(self.fold, list(left_out)))


def nested(split: str, fold: np.ndarray, folds: int) -> Plan:
    """Every fold is tested once, and the others are its inner folds."""
    return Plan(
        split,
        fold,
        tuple(
            Outer(
                i,
                frozenset({i}),
                tuple((frozenset({i, j}), j) for j in range(folds) if j != i),
            )
            for i in range(folds)
        ),
    )


def grouped_plan(group: np.ndarray, labels: Labels, folds: int, seed: int) -> Plan:
    """Whole groups in each fold."""
    return nested(GROUPED, grouped_folds(group, labels, folds, seed), folds)


def random_plan(rows: int, folds: int, seed: int) -> Plan:
    """Rows in random folds. This LEAKS wherever rows of one group are alike."""
    order = generator(seed, "probes", "random folds").permutation(rows)
    return nested(RANDOM, order % folds, folds)


def given_plan(split: np.ndarray, group: np.ndarray, labels: Labels, folds: int, seed: int) -> Plan:
    """An official split: fitted on "train", chosen on "valid", scored on "test".

    Without "valid" the training rows are divided into `folds` - 1 inner folds of groups.
    """
    split = np.asarray(split).astype(str)
    if (split == "valid").any():
        fold = np.select([split == "train", split == "valid"], [0, 1], 2)
        chosen_without = frozenset({1, 2})
        return Plan(GIVEN, fold, (Outer(2, chosen_without, ((chosen_without, 1),)),))
    train, inner = split == "train", folds - 1
    fold = np.full(len(split), inner)
    of_train = [(kind, truth[train]) for kind, truth in labels]
    fold[train] = grouped_folds(group[train], of_train, inner, seed)
    choices = tuple((frozenset({j, inner}), j) for j in range(inner))
    return Plan(GIVEN, fold, (Outer(inner, frozenset({inner}), choices),))


def grouped_folds(group: np.ndarray, labels: Labels, folds: int, seed: int) -> np.ndarray:
    """The fold of each row [rows]: groups stay whole, folds balanced in rows and in labels.

    Groups, large ones first, go where they make the sum of squared shares the least; the shares are
    those of all rows and of the rows of each class and tag.
    """
    _, code = np.unique(group, return_inverse=True)
    groups = int(code.max()) + 1
    size = np.bincount(code, minlength=groups)
    counts = _label_counts(code, groups, labels)
    shares = np.empty((groups, counts.shape[1] + 1))
    shares[:, 0] = size / len(group) * max(1, counts.shape[1])  # rows weigh as all labels together
    shares[:, 1:] = counts / np.maximum(1, counts.sum(axis=0))
    order = np.lexsort((generator(seed, "probes", "folds").random(groups), -size))
    sums = np.zeros((folds, shares.shape[1]))
    place = np.empty(groups, dtype=np.int64)
    for number, one in enumerate(order):
        rise = (2 * sums + shares[one]) @ shares[one]
        if number < folds:
            rise[sums[:, 0] > 0] = np.inf  # no fold stays empty
        best = int(np.argmin(rise))
        place[one] = best
        sums[best] += shares[one]
    return place[code]


def _label_counts(code, groups, labels):
    """Rows of each class and tag of all tasks in each group: [groups, columns]."""
    columns = [np.empty((groups, 0))]
    for kind, truth in labels:
        if kind == "classes":
            count = int(truth.max()) + 1
            both = np.bincount(code * count + truth, minlength=groups * count)
            columns.append(both.reshape(groups, count))
        elif kind == "tags":
            columns.append(np.stack([np.bincount(code, tag, groups) for tag in truth.T], axis=1))
    return np.hstack(columns)
