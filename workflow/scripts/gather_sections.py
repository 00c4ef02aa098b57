"""Gather the sections of all songs into one table."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.songs import layout

COLUMNS = ["song", "start", "end", "label", "backend", "confidence"]


def gather_sections(batches: int, results: Path, sections: Path) -> None:
    """One row per section of every song that has sections, rejected ones too."""
    ledgers = layout.ledgers(results, "tag_structure", batches)
    found = parquet.read_tables(ledgers, ["song", "outcome"]).query("outcome == 'ok'")["song"]
    tables = [
        pd.read_csv(results / layout.SONGS / song / layout.STRUCTURE, sep="\t").assign(song=song)
        for song in found
    ]
    table = pd.concat(tables)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)
    parquet.write_table(table, sections)


if __name__ == "__main__":
    command.run(gather_sections)
