"""Gather the probes of all points into one table, and compare each point with the untrained one."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import hdf5, parquet
from rasen.probes.draws import differences


def gather_probes(
    rows: list[Path], draws: list[Path], finetuned: list[Path], points: Path, table: Path
) -> None:
    """One row per model, route, point, position, layer, features, task, kind, split, row, metric.

    rows, draws: files results/probes/{model}/{point}/..., in the same order
    finetuned: files results/finetuned/{model}/{point}/...
    """
    tables = []
    for path, drawn in zip(rows, draws, strict=True):
        model, point = path.parts[path.parts.index("probes") + 1 :][:2]
        tables.append(parquet.read_table(path).assign(model=model, point=point))
        start = _at("untrained", drawn)
        if point != "untrained" and start in draws:
            gained = differences(*_read(drawn), *_read(start))
            gained = gained.assign(row="difference", against="untrained", chance=0.0)
            tables.append(gained.assign(model=model, point=point))
    for path in finetuned:
        model, point = path.parts[path.parts.index("finetuned") + 1 :][:2]
        tables.append(parquet.read_table(path).assign(model=model, point=point))
    whole = pd.concat(tables, ignore_index=True)
    whole["layer"] = whole["layer"].where(whole["layer"] >= 0).astype("Int64")
    whole = parquet.read_table(points).merge(whole, on=["model", "point"])
    first = ["model", "route", "point", "position", "layer", "features", "task", "kind", "split"]
    parquet.write_table(whole[[*first, *whole.columns.drop(first)]], table)


def _at(point, path):
    """The file of another point that has the place of a file in results/probes/."""
    parts = list(path.parts)
    parts[parts.index("probes") + 2] = point
    return Path(*parts)


def _read(path):
    with hdf5.open_file(path) as file:
        return hdf5.read_table(file, "rows"), hdf5.read_rows(file, "draws")


if __name__ == "__main__":
    command.run(gather_probes)
