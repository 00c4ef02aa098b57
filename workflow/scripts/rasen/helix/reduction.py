"""From features to three numbers per key: principal components over the keys."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal, overload

import numpy as np

# a component with less than this share of the first one's variance is rounding
RANK_TOLERANCE = 1e-12
BLOCK = 64  # problems whose features are copied to double precision at a time


@overload
def reduce(
    features: np.ndarray, components: int | Sequence[int] = ..., standardise: bool = ...,
    explained: Literal[False] = ...,
) -> np.ndarray: ...  # fmt: skip
@overload
def reduce(
    features: np.ndarray, components: int | Sequence[int], standardise: bool,
    explained: Literal[True],
) -> tuple[np.ndarray, np.ndarray]: ...  # fmt: skip
@overload
def reduce(
    features: np.ndarray, components: int | Sequence[int] = ..., standardise: bool = ..., *,
    explained: Literal[True],
) -> tuple[np.ndarray, np.ndarray]: ...  # fmt: skip
def reduce(
    features: np.ndarray, components: int | Sequence[int] = 3, standardise: bool = True,
    explained: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Principal components of features (..., keys, dim) over the keys: (..., keys, components).

    Every leading index (instrument, layer, ...) is a problem of its own: its features are
    centred over the keys, and the scores of its principal components are returned.

    components    3: the first three; another number k: the first k; (i, j, k): these,
                  counted from 0. For all triples of the first k see `fit_triples`.
    standardise   True gives each component unit variance over the keys, as the published
                  random baseline implies; False keeps its natural size.
    explained     True returns also the share of the variance that each returned component
                  explains, (..., components): standardising weights all of them alike.

    A component without variance (constant features, rank too low, fewer features than
    components) comes back as zeros, a problem with a NaN or infinity as NaN; `fit` gives such
    rows a flag. The sign of a component is arbitrary: here its largest score is positive.
    """
    features = np.asarray(features)
    if features.ndim < 2:
        raise ValueError(f"features need the shape (..., keys, dim); got {features.shape}")
    *batch, keys, _ = features.shape
    indices = range(components) if isinstance(components, int | np.integer) else tuple(components)
    if not len(indices) or min(indices) < 0 or max(indices) >= keys:
        raise ValueError(
            f"components={components!r}: {keys} keys have components 0 to {keys - 1}; give their"
            " number or a tuple of indices"
        )
    products = gram(features).reshape(-1, keys, keys)
    scores, shares = principal_scores(products, indices, standardise)
    scores = scores.reshape(*batch, keys, len(indices))
    return (scores, shares.reshape(*batch, len(indices))) if explained else scores


def gram(features: np.ndarray) -> np.ndarray:
    """Gram matrix of the keys, features centred over them: scalar products (..., keys, keys).

    All that principal components and the statistics of `octave.py` need, at any dimension.
    """
    features = np.asarray(features)
    *batch, keys, dim = features.shape
    flat = features.reshape(-1, keys, dim)
    products = np.empty((len(flat), keys, keys))
    for first in range(0, len(flat), BLOCK):
        block = slice(first, first + BLOCK)
        with np.errstate(invalid="ignore"):  # infinities become NaN; see principal_scores
            centred = flat[block].astype(np.float64)
            centred -= centred.mean(axis=1, keepdims=True)
            products[block] = centred @ centred.transpose(0, 2, 1)
    return products.reshape(*batch, keys, keys)


def principal_scores(
    products: np.ndarray, components: Sequence[int] = range(3), standardise: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Component scores and their shares of the variance from the output of `gram`.

    products (problems, keys, keys) -> (problems, keys, components), (problems, components).
    """
    keys = products.shape[-1]
    finite = np.isfinite(products).all(axis=(1, 2))
    variance, vectors = np.linalg.eigh(np.where(finite[:, None, None], products, 0.0))
    ascending = keys - 1 - np.asarray(components)  # eigh sorts upward
    largest, total = variance[:, -1:], variance.clip(min=0).sum(axis=1, keepdims=True)
    variance, vectors = variance[:, ascending], vectors[:, :, ascending]
    variance = np.where(variance > RANK_TOLERANCE * largest, variance, 0.0)

    top = np.argmax(np.abs(vectors), axis=1)[:, None]
    vectors = vectors * np.sign(np.take_along_axis(vectors, top, axis=1))
    square_norm = np.where(variance > 0, keys, 0.0) if standardise else variance
    scores = vectors * np.sqrt(square_norm)[:, None]
    shares = variance / np.where(total > 0, total, 1.0)
    return (
        np.where(finite[:, None, None], scores, np.nan),
        np.where(finite[:, None], shares, np.nan),
    )


def compress(rows: np.ndarray) -> np.ndarray:
    """rows (..., n, dim) in min(n, dim) dimensions, their scalar products unchanged."""
    triangle = np.linalg.qr(np.swapaxes(rows, -1, -2), mode="r")
    return np.swapaxes(triangle, -1, -2)


def centred_and_compressed(features: np.ndarray) -> np.ndarray:
    """Features (..., keys, dim), centred over the keys and rotated into (..., keys, keys)."""
    centred = features - features.mean(axis=-2, keepdims=True, dtype=np.float64)
    rotated = compress(centred)
    padding = rotated.shape[-2] - rotated.shape[-1]  # where there are fewer features than keys
    return np.concatenate([rotated, np.zeros((*rotated.shape[:-1], padding))], axis=-1)


def triples(components: int) -> np.ndarray:
    """All triples of the first `components` components, in lexicographic order: (triples, 3)."""
    return np.array(list(combinations(range(components), 3)))
