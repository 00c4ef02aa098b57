"""List the songs to be scored: the rows of all sheets, their references, and what is left out."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.songs import scored


def list_scored(sheets: dict, same_song: bool, rows: Path, left_out: Path) -> None:
    """Write a table per sheet and one of the references into the folder `rows`, and what is out.

    sheets: {name: path};  same_song: whether a reference sings the lyrics of its row
    """
    read = {name: scored.read_score_sheet(path) for name, path in sheets.items()}
    tables = {name: table for name, (table, _) in read.items()}
    seen: set[str] = set()
    repeated = []
    for name, table in tables.items():  # a song of a system in two sheets
        twice = table["id"].str.casefold().isin(seen)
        seen |= set(table["id"].str.casefold())
        detail = f"{sheets[name]}: another sheet has this song of this system"
        repeated.append(table[twice].assign(metric="", reason="row", detail=detail))
        tables[name] = table[~twice]
    real, others = scored.reference_rows(pd.concat(tables.values()), same_song)
    for name, table in (*tables.items(), ("real", real)):
        parquet.write_table(scored.ledger_rows(table), rows / f"{name}.parquet")
    out = [*(wrong for _, wrong in read.values()), *repeated, others]
    parquet.write_table(pd.concat(out)[list(scored.LEFT_OUT)], left_out)


if __name__ == "__main__":
    command.run(list_scored)
