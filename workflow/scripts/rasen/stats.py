"""Statistics of every analysis: intervals by resampling, p-values and their correction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from warnings import catch_warnings

import numpy as np
from scipy.special import stdtr, stdtrit

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


def resampled_units(count: int, draws: int, seed: int | np.random.Generator) -> np.ndarray:
    """Indices of units drawn with replacement, `count` of `count` per draw: [draws, count]."""
    return np.random.default_rng(seed).integers(count, size=(draws, count))


def mean_interval(
    values: np.ndarray, level: float = 0.95, positive: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over few units (instruments) of values [units, ...] and Student's interval of it.

    positive: values are above zero and skewed (Helicality): the interval is one of the mean's
    logarithm. Quantiles of resampled means cover 82 to 89 % at eight units, as they ignore that the
    standard deviation is itself uncertain; this covers 92 to 95 %, as the bootstrap of Student's t
    does with wider intervals. NaN are left out; a single unit has no interval.
    Returns mean, low, high.
    """
    values = np.asarray(values, dtype=float)
    with catch_warnings(action="ignore", category=RuntimeWarning):  # all NaN gives NaN
        mean, error = np.nanmean(values, axis=0), _standard_error(values)
        width = stdtrit(np.maximum(_freedom(values), 0), (1 + level) / 2) * error
        if positive:
            return mean, mean * np.exp(-width / mean), mean * np.exp(width / mean)
    return mean, mean - width, mean + width


def t_test(differences: np.ndarray) -> np.ndarray:
    """Two-sided p of the t-test that differences over units [units, ...] have a mean of zero."""
    with catch_warnings(action="ignore", category=RuntimeWarning):
        t = np.nanmean(differences, axis=0) / _standard_error(differences)
    freedom = _freedom(differences)
    return np.where(freedom > 0, 2 * stdtr(np.maximum(freedom, 1), -np.abs(t)), np.nan)


def _freedom(values):
    return (~np.isnan(values)).sum(axis=0) - 1


def _standard_error(values):
    return np.nanstd(values, axis=0, ddof=1) / np.sqrt(_freedom(values) + 1)


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


def jackknife(value: float, without: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """(value, low, high) by the values [parts] without one part each; Student's t of the parts."""
    parts = len(without)
    if parts < 2:
        return value, np.nan, np.nan
    error = np.sqrt((parts - 1) * np.var(without))
    width = stdtrit(parts - 1, (1 + level) / 2) * error
    return value, value - width, value + width


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


def sequential_p(
    exceeds: Callable[[int], np.ndarray], most: int, enough: int = 20, block: int = 250
) -> float:
    """p-value by draws that stop once it is plainly large [Besag and Clifford 1991].

    exceeds: maps a number of further draws to which of them are at least the observation [count]
    Stops at the draw with which `enough` exceed it, or after `most`; so the smallest p is
    1 / (most + 1), and a p-value near .5 costs 40 draws instead of thousands.
    """
    drawn = above = 0
    while drawn < most:
        more = np.flatnonzero(exceeds(min(block, most - drawn)))
        if above + len(more) >= enough:
            return float(enough / (drawn + more[enough - above - 1] + 1))
        above += len(more)
        drawn += min(block, most - drawn)
    return (1 + above) / (1 + most)


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
