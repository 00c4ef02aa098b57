"""PWCCA: canonical correlations, weighted by how much of the features each direction carries.

[Morcos, Raghu and Bengio 2018.] Features are first reduced to principal components, since canonical
correlations are 1 for any features once there are as many as rows. A direction's weight is the sum
of its absolute products with the reduced features; the weighted mean is taken with the weights of
either side, and averaged, so that the measure is symmetric.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, svd

from rasen.probes.cka import Parts
from rasen.probes.gram import Features

ROWS_PER_COMPONENT = 10


@dataclass(frozen=True)
class Basis:
    """Principal directions of features [d, components]; zeros of features that are constant."""

    directions: np.ndarray

    @property
    def width(self) -> int:
        """The number of components."""
        return self.directions.shape[1]

    @classmethod
    def of(cls, features: Features, explained: float, most: int) -> "Basis":
        """The fewest components that explain a share of variance; at most one per ten rows."""
        most = max(1, min(most, len(features) // ROWS_PER_COMPONENT))
        if not features.scale.any():
            return cls(np.zeros((features.dim, 1)))
        if len(features) < features.dim:
            x = features.take(np.arange(len(features)))
            values, vectors = eigh(x @ x.T)
            vectors = x.T @ (vectors / np.sqrt(values.clip(min=1e-12 * values[-1])))
        else:
            gram = np.zeros((features.dim, features.dim), dtype=np.float32)
            for _, block in features.blocks(np.arange(len(features))):
                gram += block.T @ block
            values, vectors = eigh(gram, overwrite_a=True)
        values = values[::-1].clip(min=0)
        shares = np.cumsum(values, dtype=np.float64) / max(values.sum(), 1e-30)
        present = int((values > 1e-6 * values[0]).sum())
        width = min(int(np.searchsorted(shares, explained - 1e-9)) + 1, most, max(1, present))
        return cls(np.ascontiguousarray(vectors[:, ::-1][:, :width]))


def pwcca_parts(
    a: Features, b: Features, basis_a: Basis, basis_b: Basis, part: np.ndarray,
    shuffled: np.ndarray,
) -> Parts:  # fmt: skip
    """PWCCA of two sets of features of the same rows. part: of each row, for the jackknife."""
    parts = int(part.max()) + 1
    if not (basis_a.directions.any() and basis_b.directions.any()):
        return Parts(np.nan, np.full(parts, np.nan), np.nan)
    x, y = _reduced(a, basis_a), _reduced(b, basis_b)
    joint = np.hstack([x, y])
    sums = np.stack([joint[part == one].sum(axis=0) for one in range(parts)])
    products = [joint[part == one].T @ joint[part == one] for one in range(parts)]
    count = np.bincount(part)

    def of(rows, total, product):
        covariance = product / rows - np.outer(total, total) / rows**2
        return pwcca(covariance, x.shape[1])

    whole, total = sum(products), sums.sum(axis=0)
    without = [
        of(len(x) - count[one], total - sums[one], whole - products[one])
        for one in range(parts if parts > 1 else 0)
    ]
    mixed = np.hstack([x, y[shuffled]])
    null = of(len(x), mixed.sum(axis=0), mixed.T @ mixed)
    return Parts(of(len(x), total, whole), np.array(without), null)


def pwcca(covariance: np.ndarray, width: int) -> float:
    """PWCCA from the covariance of both sets of components, `width` of them of the first set."""
    root_a, root_b = _roots(covariance[:width, :width]), _roots(covariance[width:, width:])
    left, rho, right = svd(root_a[1] @ covariance[:width, width:] @ root_b[1], full_matrices=False)
    rho = rho.clip(max=1)
    # of a direction's scores with the components: cov(x, x) root^-1 left = root left
    weights = [np.abs(root_a[0] @ left).sum(axis=0), np.abs(root_b[0] @ right.T).sum(axis=0)]
    return float(np.mean([weight @ rho / weight.sum() for weight in weights]))


def _roots(covariance):
    """Square root of a covariance, and the inverse of it."""
    values, vectors = eigh(covariance)
    values = values.clip(min=1e-12 * max(values[-1], 1e-30))
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T


def _reduced(features, basis):
    result = np.empty((len(features), basis.width))
    for part, block in features.blocks(np.arange(len(features))):
        result[part] = block @ basis.directions
    return result
