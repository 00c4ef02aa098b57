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


def grouped_plan(group: np.ndarray, labels: np.ndarray, folds: int, seed: int) -> Plan:
    """Whole groups in each fold."""
    return nested(GROUPED, grouped_folds(group, labels, folds, seed), folds)


def random_plan(rows: int, folds: int, seed: int) -> Plan:
    """Rows in random folds. This LEAKS wherever rows of one group are alike."""
    order = generator(seed, "probes", "random folds").permutation(rows)
    return nested(RANDOM, order % folds, folds)


def given_plan(
    split: np.ndarray, group: np.ndarray, labels: np.ndarray, folds: int, seed: int
) -> Plan:
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
    fold[train] = grouped_folds(group[train], labels[train], inner, seed)
    choices = tuple((frozenset({j, inner}), j) for j in range(inner))
    return Plan(GIVEN, fold, (Outer(inner, frozenset({inner}), choices),))


def grouped_folds(group: np.ndarray, labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row [rows]: groups stay whole, folds balanced in rows and in labels.

    labels: [rows, columns] counts to balance, one column per class of every task
    Groups, large ones first, go where they make the sums of squared shares the least.
    """
    _, code = np.unique(group, return_inverse=True)
    groups = int(code.max()) + 1
    size = np.bincount(code, minlength=groups)
    shares = np.empty((groups, labels.shape[1] + 1))
    shares[:, 0] = size / len(group) * max(1, labels.shape[1])  # rows weigh as all labels together
    for column, values in enumerate(labels.T, 1):
        shares[:, column] = np.bincount(code, values, groups) / max(1, values.sum())
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


def label_counts(truths: Sequence[np.ndarray], kinds: Sequence[str]) -> np.ndarray:
    """[rows, columns]: one column per class and tag of all tasks, to be balanced over folds."""
    columns = [np.empty((len(truths[0]), 0))]
    for truth, kind in zip(truths, kinds, strict=True):
        if kind == "classes":
            columns.append(truth[:, None] == np.arange(truth.max() + 1))
        elif kind == "tags":
            columns.append(truth)
    return np.hstack(columns).astype(np.float32)
