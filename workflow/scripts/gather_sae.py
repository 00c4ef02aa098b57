"""Gather all sparse autoencoders and how their features change into tables."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.sae.features import labels, match

LABELLED = ("label", "p", "confirmed", "purity", "auroc_hard")
STEP = ["model", "layer", "from_point", "to_point"]


def gather_sae(
    points: Path, metrics: list[Path], recovery: list[Path], features: list[Path],
    matches: list[Path], saes: Path, table: Path, flow: Path, coverage: Path,
) -> None:  # fmt: skip
    """One row per point and SAE; per feature of the main SAEs; per step between two points; per
    point and layer how many features have a label."""
    rows = parquet.read_tables(metrics)
    if recovery:
        keys = ["model", "point", "layer", "sae"]
        rows = rows.merge(parquet.read_tables(recovery), on=keys, how="left")
    parquet.write_table(parquet.read_table(points).merge(rows, on=["model", "point"]), saes)
    all_features = parquet.read_tables(features)
    parquet.write_table(all_features, table)
    by_sae = dict(list(all_features.groupby(["model", "layer", "point"], sort=False)))
    steps = [
        dict(zip(STEP, step, strict=True))
        | match.flow(matches_of_step)
        | _stability(*(by_sae[*step[:2], point] for point in step[2:]), matches_of_step)
        for path in matches
        for step, matches_of_step in parquet.read_table(path).groupby(STEP, sort=False)
    ]
    parquet.write_table(pd.DataFrame(steps, columns=None if steps else STEP), flow)
    covered = [
        dict(zip(("model", "layer", "point"), key, strict=True)) | row
        for key, rows in by_sae.items()
        for row in _coverage(rows)
    ]
    parquet.write_table(pd.DataFrame(covered), coverage)


def _stability(before: pd.DataFrame, after: pd.DataFrame, matches: pd.DataFrame) -> dict:
    """Do matched features keep their label? Nothing where clips have no labels."""
    if "label" not in before or before["label"].isna().all() or after["label"].isna().all():
        return {}
    agreement = labels.stability(before, after, matches)
    return {name: agreement[name] for name in ("named", "agreement", "kappa")}


def _coverage(features: pd.DataFrame) -> list[dict]:
    """A row for labels of clips, and one for labels of frames, where there are any."""
    counts = {"alive": int((features["rows"] > 0).sum()), "kept": int(features["kept"].sum())}
    rows = []
    for units, suffix in (("clips", ""), ("frames", "_frame")):
        names = {f"{name}{suffix}": name for name in LABELLED}
        if set(names) <= set(features) and features[f"label{suffix}"].notna().any():
            table = features[list(names)].rename(columns=names)
            rows.append({"units": units} | counts | labels.coverage(table))
    return rows or [{"units": "none"} | counts]


if __name__ == "__main__":
    command.run(gather_sae)
