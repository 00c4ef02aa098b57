"""Tidy tables as parquet, and the interval that stands beside a mean."""

from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from rasen.errors import CURE, RasenError
from rasen.seeds import generator


def write(table, path):
    """Write a DataFrame as parquet; the file appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    table.to_parquet(partial, index=False, write_page_checksum=True)
    partial.replace(path)


def read(path):
    """One parquet file as a DataFrame, compared with its checksums."""
    try:
        return pd.read_parquet(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except (ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None


def gather(paths):
    """Many parquet files below each other."""
    return pd.concat([read(path) for path in paths], ignore_index=True)


def bootstrap(statistic, count, draws, seed, *names, level=0.95):
    """Percentile interval of a statistic under resampling of `count` units (clips, instruments).

    statistic: maps weights [draws, count] (how often each unit was drawn) to values [draws, ...]
    Returns (low, high), each of shape [...].
    """
    rng = generator(seed, "bootstrap", *names)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    tail = 100 * (1 - level) / 2
    return tuple(np.percentile(statistic(weights), [tail, 100 - tail], axis=0))
