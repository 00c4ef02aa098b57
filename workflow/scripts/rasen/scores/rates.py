"""A rate over songs: errors and lengths, each summed, with a bootstrap interval over songs."""

from dataclasses import dataclass

import numpy as np

from rasen.errors import RasenError
from rasen.stats import bootstrap


@dataclass(frozen=True)
class Rate:
    """sum of `errors` [songs] / sum of `lengths` [songs], and its interval (NaN for one song)."""

    value: float
    low: float
    high: float
    errors: np.ndarray
    lengths: np.ndarray


def pooled_rate(
    errors: np.ndarray, lengths: np.ndarray, draws: int, seed: int, *names: str
) -> Rate:
    """The rate of songs [songs]: long songs count more, as in word error rates."""
    errors, lengths = np.asarray(errors, dtype=float), np.asarray(lengths, dtype=float)
    if not len(errors):
        raise RasenError("no songs to score; give one or more")
    ends = (np.nan, np.nan)
    if len(errors) > 1:
        drawn = bootstrap(
            lambda weights: (weights @ errors) / (weights @ lengths),
            len(errors), draws, seed, *names,
        )  # fmt: skip
        ends = float(drawn[0]), float(drawn[1])
    return Rate(float(errors.sum() / lengths.sum()), *ends, errors, lengths)


def require_pairs(one: int, other: int, what: str) -> None:
    """Refuse lists of songs of different lengths."""
    if one != other:
        raise RasenError(f"{what}: {one} songs and {other}; give one of each per song")
