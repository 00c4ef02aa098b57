"""Sounds of notes, for the page: a part per set of notes and instrument."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from rasen.explorer.part import Part
from rasen.io.parquet import read_table

# folder in results/notes -> name of the data; what was recorded is apart, as it never travels
NAMES = {"rendered": "note_sounds", "recorded": "recorded_sounds"}


def parts(tables: Mapping[str, Path]) -> Iterator[Part]:
    """Those of the tables notes/{rendered,recorded}/STIMULI."""
    for place, path in tables.items():
        folder, *rest = place.split("/")
        if folder == "notes":
            origin, stimuli = rest
            for row in read_table(path).itertuples():
                yield _part(NAMES[origin], stimuli, row)


def _part(name, stimuli, row):
    data = np.frombuffer(row.mp3, np.uint8)
    return Part(
        name,
        {"mp3": data},
        {"lowest": int(row.lowest), "keys": int(row.keys), "seconds": float(row.seconds)},
        {"bytes": len(data)},
        {"stimuli": stimuli, "instrument": str(row.instrument)},
    )
