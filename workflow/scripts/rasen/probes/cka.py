"""Debiased linear CKA [Song et al. 2012; Nguyen, Raghu and Kornblith 2021].

With the unbiased estimator of HSIC, independent features have 0 in the mean at any number of rows,
where the biased one tends to 1 as features outnumber rows. With the kernels K and L of the rows,
their diagonals set to 0,

    n (n - 3) HSIC = tr KL + 1'K1 1'L1 / ((n - 1) (n - 2)) - 2 1'KL1 / (n - 2)

which does not change when features are shifted. Of linear kernels the three terms are sums over
rows: tr KL = |X'Y|^2 - sum u v, where u and v are the rows' squares, and so on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rasen.probes.gram import BLOCK, Features

MEMORY = 2**27  # numbers of the parts' products
FEWEST = 5  # parts, however wide the features


@dataclass(frozen=True)
class Parts:
    """A similarity, the same without each part of the rows, and of rows assigned at random."""

    value: float
    without: np.ndarray
    null: float


Hsic = tuple[float, np.ndarray]  # of all rows, and without each part [parts]


def cka_parts(
    a: Features, b: Features, part: np.ndarray, own: dict[tuple[Any, ...], Hsic], names: tuple
) -> Parts:
    """CKA of two sets of features of the same rows. part: of each row, for the jackknife.

    own: HSIC of features with themselves, kept for further pairs under their names
    """
    kernels = len(a) < min(a.dim, b.dim)
    hsic = _hsic_of_rows if kernels else _hsic_of_features
    limit = max(FEWEST, MEMORY // max(a.dim, b.dim) ** 2)
    part = part % limit
    for name, features in zip(names, (a, b), strict=True):
        if (name, limit) not in own:
            own[name, limit] = hsic(features, features, part)
    pair = own[names[0], limit] if a is b else hsic(a, b, part)
    values, without = zip(pair, own[names[0], limit], own[names[1], limit], strict=True)
    return Parts(float(_ratio(*values)), _ratio(*without), 0.0)


def _ratio(both, a, b):
    with np.errstate(invalid="ignore", divide="ignore"):
        return both / np.sqrt(np.maximum(a, 0) * np.maximum(b, 0))


def _hsic(trace, k, m, km, n):
    """HSIC from tr KL, 1'K1, 1'L1 and 1'KL1 of n rows."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = trace + k * m / ((n - 1) * (n - 2)) - 2 * km / (n - 2)
        return np.where(n > 3, value / (n * (n - 3)), np.nan)


def _hsic_of_features(a, b, part):
    """From products of features [d, e], one of each part."""
    parts = int(part.max()) + 1
    cross = np.zeros((parts, a.dim, b.dim), dtype=np.float32)
    count, uv, u, v = np.zeros((4, parts))
    x, vx = np.zeros((2, parts, a.dim))
    y, uy = np.zeros((2, parts, b.dim))
    for one in range(parts):
        places = np.flatnonzero(part == one)
        for start in range(0, len(places), BLOCK):
            chosen = places[start : start + BLOCK]
            left, right = a.take(chosen), b.take(chosen)
            squares = [np.einsum("nd,nd->n", z, z, dtype=np.float64) for z in (left, right)]
            cross[one] += left.T @ right
            count[one] += len(chosen)
            u[one] += squares[0].sum()
            v[one] += squares[1].sum()
            uv[one] += squares[0] @ squares[1]
            x[one] += left.sum(axis=0, dtype=np.float64)
            y[one] += right.sum(axis=0, dtype=np.float64)
            vx[one] += squares[1] @ left
            uy[one] += squares[0] @ right
    whole = cross.sum(axis=0, dtype=np.float64)

    def of(kept, product):
        n, s, t = count[kept].sum(), x[kept].sum(axis=0), y[kept].sum(axis=0)
        both, left, right = uv[kept].sum(), u[kept].sum(), v[kept].sum()
        rows = s @ product @ t - s @ vx[kept].sum(axis=0) - t @ uy[kept].sum(axis=0) + both
        trace = np.vdot(product, product) - both
        return float(_hsic(trace, s @ s - left, t @ t - right, rows, n))

    every = np.ones(parts, dtype=bool)
    without = [
        of(np.arange(parts) != one, whole - cross[one]) for one in range(parts if parts > 1 else 0)
    ]
    return of(every, whole), np.array(without)


def _hsic_of_rows(a, b, part):
    """The same from kernels [rows, rows], where there are fewer rows than features."""
    every = np.arange(len(a))
    left, right = a.take(every), b.take(every)
    k, m = (left @ left.T).astype(np.float64), (right @ right.T).astype(np.float64)
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    member = (part[:, None] == np.arange(part.max() + 1)).astype(np.float64)

    def without(kernel):
        """Sums of a kernel over the rows outside each part [parts]."""
        between = member.T @ kernel @ member
        return kernel.sum() - 2 * between.sum(axis=1) + np.diag(between)

    rows_k, rows_m = (kernel.sum(axis=1)[:, None] - kernel @ member for kernel in (k, m))
    both = (rows_k * rows_m * (1 - member)).sum(axis=0)
    product = k * m
    n = len(a) - member.sum(axis=0)
    parts = _hsic(without(product), without(k), without(m), both, n)
    value = _hsic(product.sum(), k.sum(), m.sum(), k.sum(axis=1) @ m.sum(axis=1), len(a))
    return float(value), parts if member.shape[1] > 1 else np.empty(0)
