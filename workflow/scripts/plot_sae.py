"""Draw the sparse autoencoders of a model and what their features mean."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.figures import sae as draw
from rasen.io import parquet
from rasen.sae.settings import Setting, main_setting


def plot_sae(
    saes: Path, features: Path, flow: Path, seeds: Path, model: str, points: list, settings: dict,
    figures: Path,
) -> None:  # fmt: skip
    """One SVG per subject and layer; the grid is that of the last of `points`.

    settings: the grid; its first kind, n/d and K are held fixed where a picture varies the rest.
    """
    figures.mkdir(parents=True)
    main = main_setting(settings)
    position = {point: place for place, point in enumerate(points)}
    metrics, labels, steps, pairs = (
        table[table["model"] == model]
        for table in map(parquet.read_table, (saes, features, flow, seeds))
    )
    metrics = metrics.drop_duplicates(["point", "layer", "sae"])
    metrics = metrics[metrics["seed"] == labels["seed"].iloc[0]]
    metrics = metrics[_is_main(metrics, main, "kind")]
    metrics = metrics.assign(position=metrics["point"].map(position))
    labels = labels.assign(position=labels["point"].map(position))
    steps = steps.rename(columns={"from_point": "point", "to_point": "following"})
    if "label" in labels and labels["layer"].nunique() > 1:
        draw.draw_labels(labels, model, figures / "labels.svg")
    for layer in sorted(labels["layer"].unique()):
        layer_metrics, layer_labels, layer_steps, layer_pairs = (
            table[table["layer"] == layer] for table in (metrics, labels, steps, pairs)
        )
        what = f"{model}, layer {layer}"
        at_last_point = layer_metrics["point"] == points[-1]
        grid = layer_metrics[at_last_point & _is_main(layer_metrics, main, "normalise")]
        draw.draw_grid(grid, f"{what}, {points[-1]}", figures / f"grid-layer-{layer}.svg")
        if "label" in layer_labels:
            draw.draw_label_counts(layer_labels, what, figures / f"labels-layer-{layer}.svg")
        if layer_metrics["normalise"].nunique() > 1:
            fixed = _is_main(layer_metrics, main, "expansion") & _is_main(layer_metrics, main, "k")
            draw.draw_dead(layer_metrics[fixed], what, figures / f"dead-layer-{layer}.svg")
        if {"language", "granularity"} & set(layer_labels.dropna(axis=1, how="all")):
            draw.draw_route(layer_labels, what, figures / f"words-layer-{layer}.svg")
        if len(layer_steps):
            path = figures / f"flow-layer-{layer}.svg"
            draw.draw_flow(layer_steps, layer_pairs, what, path)


def _is_main(table: pd.DataFrame, main: Setting, key: str) -> pd.Series:
    """Which rows have the main value of a field of the settings."""
    return table[key] == getattr(main, key)


if __name__ == "__main__":
    command.run(plot_sae)
