"""Folding: how much of the features repeats every p keys, beyond a trend. No fit, no components.

The octave is period 12. Its rivals are all other periods from 2 to 18: the divisors of 12 (2, 3,
4, 6), at whose multiples features fold as well, so that 12 classes have to say more than theirs;
and the others, among which 12 has to be the best whatever the degree of the trend.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.special import fdtrc  # scipy.stats has it too, and takes half a second to import

from rasen.helix.reduction import gram

PERIOD = 12
DIVISORS = (2, 3, 4, 6)
RIVALS = tuple(period for period in range(2, 19) if period != PERIOD)
TREND = 3  # degree of the polynomial in the key that is removed first
TRENDS = (2, 3, 4)  # the degrees with which 12 has to be the best period


def folding_scores(
    features: np.ndarray | None = None,
    periods: Sequence[int] = (PERIOD, *RIVALS),
    products: np.ndarray | None = None,
    trend: int = TREND,
) -> np.ndarray:
    """How much of features (..., keys, dim) repeats every p keys: (..., periods).

    Per period: remove a polynomial trend, give every residue class of the key its own mean, and
    return the share of the remaining variance that the classes explain, adjusted for their number.
    At most 1; 0 is expected of noise and less of a smooth path. No components are chosen and no
    shape is assumed: octaves whose pitch classes lie on no circle count as much. NaN with fewer
    than two full periods, and for features that are a trend and nothing else.

    products: the output of `gram`, in place of features.
    """
    if products is None:
        if features is None:
            raise ValueError("folding_scores needs features or products")
        products = gram(features)
    keys = products.shape[-1]
    total = np.einsum("...tt->...", products)
    projectors, columns = _projectors(keys, trend, tuple(periods))
    explained = _explained(products, projectors)
    detrended = total - explained[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        unexplained = (total[..., None] - explained[..., 1:]) / (keys - columns)
        shares = 1 - unexplained / (detrended / (keys - trend - 1))[..., None]
    only_trend = detrended <= 1e-12 * total
    resolved = [keys >= 2 * period and keys > trend + period for period in periods]
    return np.where(only_trend[..., None] | ~np.array(resolved), np.nan, shares)


def folding_margin(products: np.ndarray) -> np.ndarray:
    """By how much folding at 12 keys exceeds that at every rival, with any trend: (...).

    products (..., keys, keys): the output of `gram`. The least over `TRENDS` of the difference to
    the best rival; NaN below two octaves. Made for many draws: its cost is one matrix product.
    """
    margins = []
    for trend in TRENDS:
        folding = folding_scores(products=products, trend=trend)
        margins.append(folding[..., 0] - np.fmax.reduce(folding[..., 1:], axis=-1))
    return np.min(margins, axis=0)


def folding_p(folding: np.ndarray, products: np.ndarray, period: int = PERIOD) -> np.ndarray:
    """p-value of folding at one period against features in random order: (...).

    Folding is an analysis of variance, and its F is that of as many independent features as
    `products` has effective dimensions (participation ratio): Box's approximation.
    ASSUME: this null is white in the key. Smooth features have less folding than white ones,
    unless they vary over a few keys, for which `smooth_surrogates` is the stricter null.
    """
    keys = products.shape[-1]
    dimensions = effective_dimensions(products, keys - 1)
    spare = keys - TREND - period  # one of the classes is a constant, as is one of the trend
    freedom = keys - TREND - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        unexplained = (1 - folding) * spare / freedom  # share of the detrended variance
        ratio = (1 - unexplained) / (period - 1) / (unexplained / spare)
    return fdtrc(dimensions * (period - 1), dimensions * spare, ratio)


def divisor_p(products: np.ndarray) -> np.ndarray:
    """p-value that twelve classes say no more than 2, 3, 4 or 6 of them do: (...).

    The nested analysis of variance, against each divisor in turn; the largest of the four
    p-values, as 12 has to gain over all. NaN below two octaves. Approximated as in `folding_p`.
    """
    keys = products.shape[-1]
    if keys < 2 * PERIOD:
        return np.full(products.shape[:-2], np.nan)
    dimensions = effective_dimensions(products, keys - 1)
    projectors, columns = _projectors(keys, TREND, (PERIOD, *DIVISORS))
    explained = _explained(products, projectors)[..., 1:]
    spare, more = keys - columns[0], columns[0] - columns[1:]
    left = np.einsum("...tt->...", products) - explained[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = (explained[..., :1] - explained[..., 1:]) / more
        ratio = gain.clip(min=0) / (left / spare)[..., None]
    each = fdtrc(dimensions[..., None] * more, dimensions[..., None] * spare, ratio)
    return each.max(axis=-1)


def effective_dimensions(products: np.ndarray, rank: int) -> np.ndarray:
    """How many equal, independent features vary as much as those of Gram matrix `products`: (...).

    The participation ratio of its eigenvalues, less the bias of so few keys.
    rank: of white features over the keys, keys - 1 where only their mean is removed
    """
    trace = np.einsum("...tt->...", products)
    with np.errstate(invalid="ignore", divide="ignore"):
        concentration = np.einsum("...st,...st->...", products, products) / trace**2
    return 1 / (concentration - 1 / rank).clip(min=1e-3)


@cache
def _projectors(keys, trend, periods):
    """Projectors on the trend alone, then on trend and classes of each period: [1 + p, keys²].

    And the number of dimensions of each of the latter, [p].
    """
    polynomials = np.vander(np.linspace(-1, 1, keys), trend + 1)
    spans = [polynomials]
    spans += [np.hstack([polynomials, np.eye(p)[np.arange(keys) % p]]) for p in periods]
    projectors, columns = [], []
    for span in spans:
        u, s, _ = np.linalg.svd(span, full_matrices=False)
        basis = u[:, s > 1e-9 * s[0]]  # the columns depend on each other
        projectors.append((basis @ basis.T).ravel())
        columns.append(basis.shape[1])
    return np.stack(projectors), np.array(columns[1:])


def _explained(products, projectors):
    """The variance that each projector keeps, of Gram matrices `products`: (..., projectors)."""
    *batch, keys, _ = products.shape
    return (products.reshape(-1, keys * keys) @ projectors.T).reshape(*batch, len(projectors))
