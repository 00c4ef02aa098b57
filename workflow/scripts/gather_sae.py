"""Gather all sparse autoencoders and what became of their features into tables."""

from pathlib import Path

import pandas as pd

from rasen import command, tables
from rasen.sae import features as stage


def gather_sae(
    points: Path, metrics: list[Path], recovery: list[Path], features: list[Path],
    matches: list[Path], saes: Path, table: Path, flow: Path,
):  # fmt: skip
    """One row a point and SAE; one a feature of the main SAEs; one a step between two points."""
    route = tables.read(points)
    rows = _with_place(metrics)
    if recovery:
        rows = rows.merge(_with_place(recovery), on=["model", "point", "layer", "sae"], how="left")
    tables.write(route.merge(rows, on=["model", "point"]), saes)
    tables.write(tables.gather(features), table)
    steps = [
        {"model": model, "layer": layer, "from_point": start, "to_point": end}
        | stage.match.flow(part)
        for path in matches
        for (model, layer, start, end), part in tables.read(path).groupby(
            ["model", "layer", "from_point", "to_point"], sort=False
        )
    ]
    columns = ["model", "layer", "from_point", "to_point"]
    tables.write(pd.DataFrame(steps, columns=columns if not steps else None), flow)


def _with_place(paths):
    """Tables below results/sae/{model}/{point}/layer-{layer}/, with these three as columns."""
    parts = []
    for path in paths:
        model, point, layer = path.parts[-4:-1]
        where = {"model": model, "point": point, "layer": int(layer.removeprefix("layer-"))}
        parts.append(tables.read(path).assign(**where))
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    command.run(gather_sae)
