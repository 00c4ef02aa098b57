"""Tidy tables as parquet."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from rasen.errors import CURE, RasenError
from rasen.io.atomic import whole_file


def write_table(table: pd.DataFrame, path: Path | str) -> None:
    """Write a DataFrame as parquet; the file appears complete or not at all."""
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False, write_page_checksum=True)


def write_parts(tables: Sequence[pd.DataFrame], path: Path | str) -> None:
    """Write DataFrames with the same columns one after the other; categories may differ."""
    text = pa.dictionary(pa.int32(), pa.string())
    fields = pa.Schema.from_pandas(tables[0], preserve_index=False).remove_metadata()
    schema = pa.schema(
        (field.name, text if pa.types.is_dictionary(field.type) else field.type) for field in fields
    )
    with open_writer(path, schema) as writer:
        for table in tables:
            writer.write_table(pa.Table.from_pandas(table, schema, preserve_index=False))


@contextmanager
def open_writer(path: Path | str, schema: pa.Schema) -> Iterator[parquet.ParquetWriter]:
    """A writer of tables that are too large for memory, part by part; whole or absent."""
    with (
        whole_file(path) as partial,
        parquet.ParquetWriter(partial, schema, write_page_checksum=True) as writer,
    ):
        yield writer


def read_table(path: Path | str, rows: Sequence[tuple] | None = None) -> pd.DataFrame:
    """One parquet file as a DataFrame, compared with its checksums.

    rows: only those of which all is true, as [("model", "==", "nano")]
    """
    with _damage_told(path):
        return pd.read_parquet(path, filters=rows, page_checksum_verification=True)


def read_tables(paths: Iterable[Path | str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Many parquet files, concatenated; a column that some files lack is empty there.

    columns: only these, where there are
    """
    tables = []
    for path in paths:
        with _damage_told(path), parquet.ParquetFile(path, page_checksum_verification=True) as file:
            # A thread for each of a thousand small files would take most of the time.
            tables.append(file.read(columns, use_threads=False).replace_schema_metadata(None))
    return pa.concat_tables(tables, promote_options="permissive").to_pandas()


@contextmanager
def _damage_told(path):
    """A file that cannot be read is told by name, with its cure."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None
