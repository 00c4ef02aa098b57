"""Null distributions of Helicality, without a helix: random, permuted and smooth features.

Three nulls of rising strictness. Any network exceeds the first two, as neighbouring notes are
similar. Only the third tests for a helix, and none of the three tests for an octave: that is
`octave.py`. A seed may also be a numpy Generator, from which further draws can be taken.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from rasen.helix.fitting import LITERATURE, Omega, fit_triples
from rasen.helix.folding import effective_dimensions
from rasen.helix.reduction import gram, reduce

Seed = int | np.random.Generator

SHORT = 5  # lags, in keys, from which smoothness is estimated: below half an octave
ROUGH = 8  # degree of the polynomial beyond which features are noise, for its dimensions
FEWEST_DIMENSIONS = 3  # of a smooth path: those of a helix
MOST_DIMENSIONS = 400  # of noise: more change nothing


def random_baseline(
    keys: int, omega: Omega = LITERATURE, radius: str = "cone", draws: int = 1000,
    components: int = 3, seed: Seed = 0,
) -> np.ndarray:  # fmt: skip
    """Helicality of features without any order: (draws,). Their dimension does not matter.

    The principal directions of Gaussian features are a random orthonormal triple in the space
    of the keys, so the triple is drawn directly. components=5 takes the best of ten triples.
    """
    rng = np.random.default_rng(seed)
    scores = reduce(rng.standard_normal((draws, keys, components)), components)
    return fit_triples(scores, omega, radius)[0].helicality


def permuted_keys(x: np.ndarray, draws: int = 1000, seed: Seed = 0) -> np.ndarray:
    """x (keys, 3 or more) with its keys in random orders: (draws, keys, ...).

    Principal components do not depend on the order of the keys: no need to reduce again.
    """
    return np.asarray(x)[random_orders(len(x), draws, seed)]


def random_orders(keys: int, draws: int, seed: Seed = 0) -> np.ndarray:
    """Permutations of the keys: (draws, keys)."""
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(keys), (draws, 1)), axis=1)


def smooth_surrogates(features: np.ndarray, draws: int = 1000, seed: Seed = 0) -> np.ndarray:
    """Paths as smooth and as noisy as features (keys, dim), and with no octave.

    Returns (draws, keys, dimensions), drawn from the `SmoothPath` of the features.
    """
    return smooth_path(gram(features)).draw(draws, np.random.default_rng(seed))


@dataclass(frozen=True)
class SmoothPath:
    """A Gaussian path without an octave, and noise: each has a variance and dimensions of its own.

    Drawing the noise in as few dimensions as the path would make it harder to average out, and the
    surrogates of a slow drift in noise would be rougher than the drift.
    """

    root: np.ndarray  # (keys, keys) symmetric square root of the path's covariance of keys
    dimensions: int  # of the path
    noise: float  # variance of the noise at each key
    noise_dimensions: int

    def draw(self, draws: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Surrogates (*draws, keys, dimensions), the noise in no more dimensions than keys."""
        shape = (*np.atleast_1d(draws), len(self.root))
        path = self.root @ rng.standard_normal((*shape, self.dimensions))
        noise = white_noise(shape, self.noise_dimensions, rng)
        scales = (self.dimensions**-0.5, (self.noise / self.noise_dimensions) ** 0.5)
        return np.concatenate([path * scales[0], noise * scales[1]], axis=-1)


def smooth_path(products: np.ndarray) -> SmoothPath:
    """The SmoothPath of features with Gram matrix `products` (keys, keys).

    Its covariance is `smooth_covariance`. The path's dimensions are the participation ratio of
    what the features have above the noise, which is less than their number, so that surrogates
    vary no less than such paths do. The noise's are those of the features' own roughness.
    """
    keys = len(products)
    covariance, noise = smooth_covariance(products)
    variance, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(variance.clip(min=0))) @ vectors.T  # symmetric: no sign is arbitrary

    centre = np.eye(keys) - 1 / keys
    above = np.linalg.eigvalsh(products - noise * centre).clip(min=0)
    ratio = above.sum() ** 2 / max((above**2).sum(), np.finfo(float).tiny)
    trend = np.linalg.qr(np.vander(np.linspace(-1, 1, keys), min(ROUGH, keys // 4) + 1))[0]
    without = np.eye(keys) - trend @ trend.T
    rough = effective_dimensions(without @ products @ without, keys - trend.shape[1])
    return SmoothPath(
        root,
        max(FEWEST_DIMENSIONS, round(ratio)),
        noise,
        int(np.clip(round(float(np.nan_to_num(rough))), 1, MOST_DIMENSIONS)),
    )


def smooth_covariance(products: np.ndarray) -> tuple[np.ndarray, float]:
    """The octave-free covariance of keys that fits the short lags of Gram matrix `products`.

    Returns the path's covariance (keys, keys) and the variance of the noise at each key. The
    variogram, half the mean squared distance at a lag, is fitted by a non-negative mixture of
    noise and of squared exponentials of many lengths. Such a mixture falls with the lag whatever
    its weights: a note can never be closer to its octave than to the notes between. Short lags
    alone leave the total variance open when their variogram is nearly straight, so its mean over
    all pairs of keys, which is the total variance, is fitted as well.
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
    members = kernel(np.abs(key[:, None] - key))
    return members[..., 1:] @ weights[1:], float(weights[0])


def white_noise(shape: tuple[int, ...], dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise (..., keys, dimensions), rotated into as many dimensions as keys if fewer.

    The scalar products of the keys are all that matters, and those of noise in many dimensions have
    a triangular root that is drawn directly [Bartlett 1933].
    """
    keys = shape[-1]
    if dimensions <= keys:
        return rng.standard_normal((*shape, dimensions))
    noise = np.tril(rng.standard_normal((*shape, keys)), -1)
    key = np.arange(keys)
    noise[..., key, key] = np.sqrt(rng.chisquare(dimensions - key, (*shape[:-1], keys)))
    return noise
