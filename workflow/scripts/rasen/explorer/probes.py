"""What probes read, for the page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.explorer.contract import columns_of
from rasen.explorer.part import Part, table_part
from rasen.io.parquet import read_table

SHOWN = ("probe", "permuted")  # differences, many more rows, stay in the table


def parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """Values and those with permuted labels; -1 is the layer of rows that are of no single one."""
    table = read_table(tables["probes"])
    table = table[table["row"].isin(SHOWN)].fillna({"layer": -1})
    yield table_part("probes", table, columns_of(contract, "probes"))
