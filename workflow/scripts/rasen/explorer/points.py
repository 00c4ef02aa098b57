"""Points for the page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.explorer.contract import columns_of
from rasen.explorer.part import Part, table_part
from rasen.io.parquet import read_table


def parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """The whole table."""
    yield table_part("points", read_table(tables["points"]), columns_of(contract, "points"))
