"""Training runs of SongBloom, the songs that they make, and scores, for the page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rasen.explorer.contract import columns_of
from rasen.explorer.part import Part, table_part
from rasen.explorer.sounds import address, copies_of
from rasen.io.parquet import read_table
from rasen.scores.paper import PAPER, SOURCE
from rasen.scores.table import METRICS

SONG = "songbloom/{run}/songs/step-{step:06d}/{song}--seed-{seed}.flac"


def training_parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """The losses of all runs, step by step."""
    table = read_table(tables["training"])
    yield table_part("training", table, columns_of(contract, "training"))


def generated_parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """The songs that runs made, and where each lies."""
    results = tables["generated"].parents[1]
    table = read_table(tables["generated"])
    copies = copies_of(tables)
    linked = [address(file, results / "explorer") for file in generated_files(table, results)]
    table = table.assign(src=[copies.get(src, src) for src in linked])
    yield table_part("generated", table, columns_of(contract, "generated"))


def generated_files(table: pd.DataFrame, results: Path) -> list[Path]:
    """The sound of each song that was made."""
    return [
        results / SONG.format(run=row.run, step=row.step, song=row.song, seed=row.seed)
        for row in table.itertuples(index=False)
    ]


def score_parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """Scores of songs and systems, and the rows of the paper (song "")."""
    table = read_table(tables["scores"]).assign(paper=False)
    rows = [
        {"system": system, "metric": metric, "value": value}
        for system, values in PAPER.items()
        for metric, value in values.items()
        if metric in METRICS
    ]
    paper = pd.DataFrame(rows).assign(song="", embedding="", detail="", paper=True)
    table = pd.concat([table, paper], ignore_index=True)
    part = table_part("scores", table, columns_of(contract, "scores"))
    metrics = [
        {"name": name, "title": title.removesuffix(" %"), "percent": factor == 100}
        for name, (title, factor, _) in METRICS.items()
    ]
    yield Part(part.name, part.columns, {"source": SOURCE, "metrics": metrics}, part.sizes, part.of)
