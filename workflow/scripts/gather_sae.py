"""Gather all sparse autoencoders and how their features change into tables."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.sae.features import match

STEP = ["model", "layer", "from_point", "to_point"]


def gather_sae(
    points: Path, metrics: list[Path], recovery: list[Path], features: list[Path],
    matches: list[Path], saes: Path, table: Path, flow: Path,
) -> None:  # fmt: skip
    """One row per point and SAE; per feature of the main SAEs; per step between two points."""
    rows = parquet.read_tables(metrics)
    if recovery:
        keys = ["model", "point", "layer", "sae"]
        rows = rows.merge(parquet.read_tables(recovery), on=keys, how="left")
    parquet.write_table(parquet.read_table(points).merge(rows, on=["model", "point"]), saes)
    parquet.write_table(parquet.read_tables(features), table)
    steps = [
        dict(zip(STEP, step, strict=True)) | match.flow(matches_of_step)
        for path in matches
        for step, matches_of_step in parquet.read_table(path).groupby(STEP, sort=False)
    ]
    parquet.write_table(pd.DataFrame(steps, columns=None if steps else STEP), flow)


if __name__ == "__main__":
    command.run(gather_sae)
