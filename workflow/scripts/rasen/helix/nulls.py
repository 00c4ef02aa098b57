"""Null distributions of Helicality, without a helix: random, permuted and smooth features.

Three tests of rising strictness. Any network exceeds the first two, as neighbouring notes are
similar. Only the third tests for a helix, and none of the three tests for an octave: that is
`octave.py`.
"""

import numpy as np
from scipy.optimize import nnls

from rasen.helix.fitting import LITERATURE, Omega, fit_triples
from rasen.helix.reduction import gram, reduce

SHORT = 5  # lags, in keys, from which smoothness is estimated: below half an octave


def random_baseline(
    keys: int, omega: Omega = LITERATURE, radius: str = "cone", draws: int = 1000,
    components: int = 3, seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """Helicality of features without any order: (draws,). Their dimension does not matter.

    The principal directions of Gaussian features are a random orthonormal triple in the space
    of the keys, so the triple is drawn directly. components=5 takes the best of ten triples.
    """
    rng = np.random.default_rng(seed)
    scores = reduce(rng.standard_normal((draws, keys, components)), components)
    return fit_triples(scores, omega, radius)[0].helicality


def permuted_keys(x: np.ndarray, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """x (keys, 3 or more) with its keys in random orders: (draws, keys, ...).

    Principal components do not depend on the order of the keys: no need to reduce again.
    """
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(len(x)), (draws, 1)), axis=1)
    return np.asarray(x)[order]


def smooth_paths(correlation: np.ndarray, dim: int, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Gaussian paths with a given correlation of keys (keys, keys): (draws, keys, dim)."""
    rng = np.random.default_rng(seed)
    # the square root by eigenvectors: such matrices are often singular to rounding
    variance, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(variance.clip(min=0))
    return root @ rng.standard_normal((draws, len(correlation), dim))


def smooth_surrogates(features: np.ndarray, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Paths as smooth as features (keys, dim), with as many dimensions, and with no octave.

    They are Gaussian with the features' own variogram at lags below half an octave, continued
    to longer lags by `smooth_correlation`, in the features' effective number of dimensions
    (participation ratio of their variance). Returns (draws, keys, dimensions).
    """
    products = gram(features)
    variance = np.linalg.eigvalsh(products).clip(min=0)
    dim = max(3, round(variance.sum() ** 2 / (variance**2).sum()))
    return smooth_paths(smooth_correlation(products), dim, draws, seed)


def smooth_correlation(products: np.ndarray) -> np.ndarray:
    """The octave-free correlation of keys that fits the short lags of Gram matrix `products`.

    The variogram, half the mean squared distance at a lag, is fitted by a non-negative mixture
    of noise and of squared exponentials of many lengths. Such a mixture falls with the lag
    whatever its weights: a note can never be closer to its octave than to the notes between.
    Short lags alone leave the total variance open when their variogram is nearly straight, so its
    mean over all pairs of keys, which is the total variance, is fitted as well.
    """
    keys = len(products)
    square_norm = np.diag(products)
    distance = square_norm[:, None] + square_norm - 2 * products
    lags = np.arange(1, keys)
    pairs = lags[::-1] / lags.sum()  # share of the pairs of keys at each lag
    variogram = np.array([distance.diagonal(lag).mean() / 2 for lag in lags])
    lengths = np.geomspace(0.7, keys, 12)  # the shortest is noise: lag 1 is hardly correlated

    def kernel(lag):
        noise = (lag == 0)[..., None]
        return np.concatenate([noise, np.exp(-((lag[..., None] / lengths) ** 2) / 2)], axis=-1)

    variograms = 1 - kernel(lags)  # of the members of the mixture
    target = np.append(variogram[:SHORT], pairs @ variogram)
    equations = np.vstack([variograms[:SHORT], pairs @ variograms])
    scale = target.clip(min=1e-6 * target[-1])  # errors are relative
    weights, _ = nnls(equations / scale[:, None], target / scale, maxiter=1000)
    key = np.arange(keys)
    correlation = kernel(np.abs(key[:, None] - key)) @ weights
    return correlation / correlation[0, 0]
