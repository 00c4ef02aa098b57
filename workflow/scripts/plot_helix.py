"""Draw the pitch helix of one model: against alpha, along routes, through layers, in 3D."""

from pathlib import Path

from rasen import command
from rasen.figures import helix
from rasen.figures.helix_curves import draw_curves
from rasen.io import parquet


def plot_helix(
    table: Path,
    curves: list[Path],
    model: str,
    stimuli: str,
    alpha: Path,
    routes: Path,
    layers: Path,
    picture: Path,
) -> None:
    """Four figures of one set of notes, from the table, which may have several.

    curves: of the points of the linear, or the first, route
    """
    of_model = parquet.read_table(table).query("model == @model")
    rows = of_model.query("stimuli == @stimuli")
    title = model if len(rows) == len(of_model) else f"{model}, {stimuli}"
    helix.draw_alpha(rows, title, alpha)
    helix.draw_routes(rows, title, routes)
    helix.draw_layers(rows, title, layers)
    last_curves = parquet.read_tables(curves).query("stimuli == @stimuli")
    last_curves = last_curves.query("layer == layer.max()")
    shown = "linear" if "linear" in set(rows["route"]) else rows["route"].iloc[0]
    last = rows[(rows["route"] == shown) & (rows["layer"] == rows["layer"].max())]
    last_curves = last_curves.merge(last[["point", "position"]], on="point")
    verdicts = dict(zip(last["position"], last["verdict"], strict=True))
    draw_curves(last_curves, verdicts, title, picture)


if __name__ == "__main__":
    command.run(plot_helix)
