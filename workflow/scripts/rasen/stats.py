"""Statistics of every analysis: intervals by resampling, p-values and their correction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from warnings import catch_warnings

import numpy as np

from rasen.seeds import generator

# --- intervals


@dataclass(frozen=True)
class Interval:
    """A number, or an array of numbers, with its bootstrap interval."""

    value: np.ndarray  # of the sample itself
    low: np.ndarray
    high: np.ndarray
    bias: np.ndarray  # median of the draws minus the value: subtracted from the interval
    draws: np.ndarray  # (draws, ...) the resampled values

    @classmethod
    def from_draws(cls, value: np.ndarray, draws: np.ndarray, level: float) -> "Interval":
        """Quantiles of the draws, shifted so that their median is the value.

        A resample repeats units and so averages out less noise than the sample: the draws of a
        number that noise lowers (Helicality of pooled features) lie lower, by more than they vary.
        """
        tail = (1 - level) / 2
        with catch_warnings(action="ignore", category=RuntimeWarning):  # all NaN gives NaN
            low, middle, high = np.nanquantile(draws, [tail, 0.5, 1 - tail], axis=0)
        bias = middle - value
        return cls(value, low - bias, high - bias, bias, draws)


def resampled_units(count: int, draws: int, seed: int) -> np.ndarray:
    """Indices of units drawn with replacement, `count` of `count` per draw: [draws, count]."""
    return np.random.default_rng(seed).integers(count, size=(draws, count))


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], count: int, draws: int, seed: int, *names: str,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Percentile interval of a statistic under resampling of `count` units (clips, instruments).

    statistic: maps weights [draws, count] (how often each unit was drawn) to values [draws, ...]
    Returns (low, high), each of shape [...].
    """
    rng = generator(seed, "bootstrap", *names)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(statistic(weights), [tail, 100 - tail], axis=0)
    return low, high


# --- p-values


def p_value(
    observed: np.ndarray | float | Sequence[float], null: np.ndarray, axis: int = -1
) -> np.ndarray:
    """Share of the null at least as large, counting the observation itself: never zero.

    observed (...), null (..., draws). NaN observations have the p-value NaN.
    """
    observed, null = np.asarray(observed), np.asarray(null)
    above = (null >= np.expand_dims(observed, axis)).sum(axis=axis)
    p = (1 + above) / (1 + null.shape[axis])
    return np.where(np.isnan(observed), np.nan, p)


def corrected(p: np.ndarray | Sequence[float], method: str = "false discovery") -> np.ndarray:
    """p-values (tests,) corrected for multiple testing; NaN stays NaN and does not count.

    "false discovery"  Benjamini-Hochberg: among the tests called significant at q, a share q is
                       expected to be wrong. The default: the question is *which* layers or
                       features, and these depend on each other positively, where it holds.
    "any error"        Holm: the chance of one error or more is q. For a claim about one layer.
    """
    p = np.asarray(p, dtype=float)
    result = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested])]
    rank = np.arange(1, len(order) + 1)
    if method == "false discovery":
        steps = np.minimum.accumulate((p[order] * len(order) / rank)[::-1])[::-1]
    elif method == "any error":
        steps = np.maximum.accumulate(p[order] * (len(order) + 1 - rank))
    else:
        raise ValueError(f'method={method!r}: "false discovery" or "any error"')
    result[order] = steps.clip(max=1)
    return result
