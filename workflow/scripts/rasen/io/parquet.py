"""Tidy tables as parquet."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from pyarrow import ArrowException

from rasen.errors import CURE, RasenError
from rasen.io.atomic import whole_file


def write_table(table: pd.DataFrame, path: Path | str) -> None:
    """Write a DataFrame as parquet; the file appears complete or not at all."""
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False, write_page_checksum=True)


def read_table(path: Path | str) -> pd.DataFrame:
    """One parquet file as a DataFrame, compared with its checksums."""
    try:
        return pd.read_parquet(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except (ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None


def read_tables(paths: Iterable[Path | str]) -> pd.DataFrame:
    """Many parquet files, concatenated."""
    return pd.concat([read_table(path) for path in paths], ignore_index=True)
