"""Gather all sparse autoencoders and how their features change into tables."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.sae.features import labels, match
from rasen.sae.features.seeds import coverage_with_spread, with_seeds

LABELLED = ("label", "p", "confirmed", "purity", "auroc_hard")
ENDS = ["model", "layer", "from_point", "to_point", "from_seed", "to_seed"]
FLOW = [*ENDS[:4], "seed", "before", "after", "matched", "births", "deaths", "overlap", "drift"]
PAIRS = ["model", "layer", "point", "seed", "other_seed", "before", "after", "matched", "share"]


def gather_sae(
    points: Path, seed: int, metrics: list[Path], recovery: list[Path], features: list[Path],
    other_seeds: list[Path], matches: list[Path], saes: Path, table: Path, flow: Path,
    seeds: Path, coverage: Path,
) -> None:  # fmt: skip
    """One row per point and SAE; per feature of the main SAEs; per step between two points; per
    point and two seeds; per point and layer how many features have a label.

    seed: of the main SAEs;  features, other_seeds: their features, and those of other seeds
    """
    rows = parquet.read_tables(metrics)
    if recovery:
        keys = ["model", "point", "layer", "sae"]
        rows = rows.merge(parquet.read_tables(recovery), on=keys, how="left")
    parquet.write_table(parquet.read_table(points).merge(rows, on=["model", "point"]), saes)
    main_features = parquet.read_tables(features)
    parquet.write_table(main_features, table)
    all_features = pd.concat([main_features, *map(parquet.read_table, other_seeds)])
    by_sae = dict(list(all_features.groupby(["model", "layer", "point", "seed"], sort=False)))
    flows, pairs = _compare(matches, by_sae)
    parquet.write_table(with_seeds(flows, pairs, seed), flow)
    parquet.write_table(pairs, seeds)
    covered = [
        dict(zip(("model", "layer", "point", "seed"), key, strict=True)) | row
        for key, rows in by_sae.items()
        for row in _coverage(rows)
    ]
    parquet.write_table(coverage_with_spread(pd.DataFrame(covered), seed), coverage)


def _compare(paths: list[Path], by_sae: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every step of every seed between two points, and every two seeds at one point."""
    flows, pairs = [], []
    for path in paths:
        for ends, matches in parquet.read_table(path).groupby(ENDS, sort=False):
            model, layer, start, end, first, second = ends
            sides = by_sae[model, layer, start, first], by_sae[model, layer, end, second]
            row = match.flow(matches) | _stability(*sides, matches)
            where = {"model": model, "layer": layer}
            if start != end:
                flows.append(where | {"from_point": start, "to_point": end, "seed": first} | row)
            else:
                del row["births"], row["deaths"]
                where |= {"point": start, "seed": first, "other_seed": second}
                share = 2 * row["matched"] / (row["before"] + row["after"])
                pairs.append(where | row | {"share": share})
    return (
        pd.DataFrame(flows, columns=None if flows else FLOW),
        pd.DataFrame(pairs, columns=None if pairs else PAIRS),
    )


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
