"""Products of features with themselves and with labels, per fold: all that ridge needs of them.

The Gram of any training set is a sum of those of its folds, and standardising on the training rows
is arithmetic on that sum: centre, then divide rows and columns by standard deviations. Features
are shifted and scaled once by their mean and deviation over all rows, only so that float32
suffices: the standardisation on training rows undoes it exactly.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from rasen.errors import RasenError
from rasen.probes.folds import LeftOut, Plan

BLOCK = 4096  # rows held as float32 at a time
CONSTANT = 1e-6  # variance, in units of that over all rows, below which a feature is left out


class Features:
    """One layer's features [rows, d], read in blocks that are centred and of unit variance."""

    def __init__(
        self, x: np.ndarray, rows: np.ndarray, name: str = "features", each: bool = True
    ) -> None:
        """rows: those used, in the order in which they are numbered from here on

        each: whether every feature has unit variance, or only their mean
        """
        self.x, self.index = x, rows
        self.all = len(rows) == len(x) and np.array_equal(rows, np.arange(len(x)))
        self.dim = x.shape[1]
        first = x[rows[:BLOCK]].astype(np.float32).mean(axis=0)
        total, squares = np.zeros(self.dim), np.zeros(self.dim)
        for start in range(0, len(rows), BLOCK):
            block = self._raw(slice(start, start + BLOCK)) - first
            total += block.sum(axis=0, dtype=np.float64)
            squares += np.einsum("nd,nd->d", block, block)
        if not np.isfinite(squares).all():
            bad = (~np.isfinite(squares)).sum()
            raise RasenError(
                f"{name}: {bad} of {self.dim} features have values that are not finite, or larger "
                "than float32 can square; leave out the clips that have them"
            )
        mean = total / len(rows)
        variance = squares / len(rows) - mean**2
        self.centre = (first + mean).astype(np.float32)
        usable = variance > 1e-12 * (1 + self.centre.astype(np.float64) ** 2)
        self.scale = np.where(usable, 1 / np.sqrt(np.where(usable, variance, 1)), 0)
        if not each and usable.any():
            total_variance = np.where(usable, variance, 0).sum()
            self.scale = np.full(self.dim, np.sqrt(self.dim / total_variance))
        self.scale = self.scale.astype(np.float32)

    def _raw(self, places):
        chosen = self.x[places] if self.all else self.x[self.index[places]]
        return chosen.astype(np.float32, copy=False)

    def __len__(self) -> int:
        return len(self.index)

    def take(self, places: np.ndarray) -> np.ndarray:
        """Some rows, shifted and scaled: float32 [places, d]."""
        block = self._raw(places) - self.centre
        block *= self.scale
        return block

    def blocks(self, places: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows in blocks: (which of `places`, their features [block, d])."""
        for start in range(0, len(places), BLOCK):
            part = slice(start, start + BLOCK)
            yield part, self.take(places[part])


@dataclass(frozen=True)
class Decomposed:
    """Ridge on one training set for every lambda: eigenvectors and what labels have along them."""

    values: np.ndarray  # [r] eigenvalues of the correlation matrix
    vectors: np.ndarray  # [d, r]
    along: np.ndarray  # [r, targets]
    mean: np.ndarray  # [d] of the training rows
    unscale: np.ndarray  # [d] 1 / standard deviation
    level: np.ndarray  # [targets] mean label

    def weights(self, columns: slice, lambdas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(weights [d, lambdas, columns], intercepts [lambdas, columns])."""
        shrunk = self.along[:, None, columns] / (self.values[:, None] + lambdas)[:, :, None]
        rank, strengths, targets = shrunk.shape
        found = self.vectors @ shrunk.reshape(rank, strengths * targets)  # rank 0: all constant
        found *= self.unscale[:, None]
        intercepts = self.level[columns] - (self.mean @ found).reshape(strengths, targets)
        return found.reshape(len(self.vectors), strengths, targets), intercepts


class FoldGrams:
    """Sums of one layer's features and labels per fold, and ridge on any union of folds."""

    def __init__(
        self, features: Features, labels: Callable[[np.ndarray], np.ndarray], columns: int,
        plan: Plan,
    ) -> None:  # fmt: skip
        """labels: those of some rows, float32 [places, columns]"""
        self.features, self.plan = features, plan
        folds = int(plan.fold.max()) + 1
        shape = (folds, features.dim)
        self.count = np.bincount(plan.fold, minlength=folds)
        self.total = np.zeros(shape)
        self.label_total = np.zeros((folds, columns))
        self.cross = np.zeros((*shape, columns), dtype=np.float32)
        # fewer rows than features: the Gram of rows is smaller, and differs with every model
        self.wide = int(self.count.sum()) < features.dim
        size = 0 if self.wide else features.dim
        self.gram = np.zeros((folds, size, size), dtype=np.float32)
        for fold in range(folds):
            places = plan.rows(fold)
            for part, block in features.blocks(places):
                y = labels(places[part])
                self.total[fold] += block.sum(axis=0, dtype=np.float64)
                self.label_total[fold] += y.sum(axis=0, dtype=np.float64)
                self.cross[fold] += block.T @ y
                if not self.wide:
                    self.gram[fold] += block.T @ block

    def decompose(self, left_out: LeftOut) -> Decomposed:
        """Ridge without some folds."""
        kept = [fold for fold in range(len(self.count)) if fold not in left_out]
        rows = self.count[kept].sum()
        mean = (self.total[kept].sum(axis=0) / rows).astype(np.float32)
        level = (self.label_total[kept].sum(axis=0) / rows).astype(np.float32)
        cross = sum(self.cross[fold] for fold in kept) / np.float32(rows) - np.outer(mean, level)
        if self.wide:
            values, vectors, unscale = self._of_rows(left_out, mean)
        else:
            values, vectors, unscale = self._of_features(kept, rows, mean)
        along = vectors.T @ (cross * unscale[:, None])
        return Decomposed(values, vectors, along, mean, unscale, level)

    def _of_features(self, kept, rows, mean):
        """Eigenvectors of the correlation matrix [d, d]."""
        gram = self.gram[kept[0]].copy()
        for fold in kept[1:]:
            gram += self.gram[fold]
        gram /= np.float32(rows)
        gram -= np.outer(mean, mean)
        unscale = _inverse_root(np.diag(gram))
        gram *= unscale
        gram *= unscale[:, None]
        values, vectors = eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
        return values.clip(min=0), vectors, unscale

    def _of_rows(self, left_out, mean):
        """The same by way of the rows' Gram [rows, rows]: there are fewer of them."""
        x = self.features.take(self.plan.without(left_out)) - mean
        unscale = _inverse_root(np.einsum("nd,nd->d", x, x) / len(x))
        x *= unscale
        values, vectors = eigh(x @ x.T / len(x), overwrite_a=True, check_finite=False, driver="evd")
        seen = values > 1e-6 * max(1.0, values[-1])
        values, vectors = values[seen], vectors[:, seen]
        return values, x.T @ (vectors / np.sqrt(values * len(x))), unscale


def _inverse_root(variance):
    usable = variance > CONSTANT
    return np.where(usable, 1 / np.sqrt(np.where(usable, variance, 1)), 0).astype(np.float32)
