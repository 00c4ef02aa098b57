"""Whether the dictionary of results has a word for every column of the tables of a study."""

from pathlib import Path

import pyarrow.parquet as pq

from rasen.dictionary.page import TABLES

WORDS = {table.name: table.words() for table in TABLES}


def undescribed(results: Path | str) -> list[str]:
    """Columns and tables of results/tables that the dictionary lacks."""
    lacking = []
    for path in sorted(Path(results).glob("tables/*.parquet")):
        if path.stem not in WORDS:
            lacking.append(path.stem)
            continue
        columns = pq.read_schema(path).names
        lacking += [f"{path.stem}.{name}" for name in columns if name not in WORDS[path.stem]]
    return lacking
