"""Draw the sparse autoencoders of a model and what their features mean."""

from pathlib import Path

from rasen import command
from rasen.figures import sae as draw
from rasen.io import parquet
from rasen.sae.settings import main_value


def plot_sae(
    saes: Path, features: Path, flow: Path, model: str, points: list, settings: dict, figures: Path
):
    """One SVG a subject and layer; the grid is that of the last of `points`.

    settings: the grid; its first kind, n/d and K are held fixed where a picture varies the rest.
    """
    figures.mkdir(parents=True)
    order = {point: place for place, point in enumerate(points)}
    metrics, found, steps = map(parquet.read_table, (saes, features, flow))
    metrics, found, steps = (each[each["model"] == model] for each in (metrics, found, steps))
    metrics = metrics.drop_duplicates(["point", "layer", "sae"])
    metrics = metrics[_main(metrics, settings, "kind")]
    metrics = metrics.assign(position=metrics["point"].map(order))
    found = found.assign(position=found["point"].map(order))
    steps = steps.rename(columns={"from_point": "point", "to_point": "following"})
    if "label" in found:
        draw.draw_labels(found, figures / "labels.svg")
    for layer in sorted(found["layer"].unique()):
        here, rows = (each[each["layer"] == layer] for each in (metrics, found))
        last = here[(here["point"] == points[-1]) & _main(here, settings, "normalise")]
        draw.draw_grid(last, figures / f"grid-layer-{layer}.svg")
        if here["normalise"].nunique() > 1:
            main = _main(here, settings, "expansion") & _main(here, settings, "k")
            draw.draw_dead(here[main], figures / f"dead-layer-{layer}.svg")
        if {"language", "granularity"} & set(rows.dropna(axis=1, how="all")):
            draw.draw_route(rows, figures / f"words-layer-{layer}.svg")
        if (steps["layer"] == layer).any():
            draw.draw_flow(steps[steps["layer"] == layer], figures / f"flow-layer-{layer}.svg")


def _main(table, settings, key):
    """Rows with the main value of a key of the grid."""
    return table[key] == main_value(settings, key)


if __name__ == "__main__":
    command.run(plot_sae)
