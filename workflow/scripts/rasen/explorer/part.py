"""What the page loads at once: one script file of data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Part:
    """Columns and values of one file; the contract says what `name` must have.

    columns: {name: array}, of the shape that the contract names, text as arrays of objects
    sizes: {name of an axis: its length}; a table has one axis, `rows`
    of: what tells this part from others of the same name ({"model": ..., "layer": ...})
    """

    name: str
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    of: Mapping[str, Any] = field(default_factory=dict)


def table_part(name: str, table: pd.DataFrame, columns: list[str], **of: Any) -> Part:
    """A table; a column that it lacks is left out, which the contract then tells."""
    found = [column for column in columns if column in table]
    arrays = {column: table[column].to_numpy(object) for column in found}
    return Part(name, arrays, sizes={"rows": len(table)}, of=of)
