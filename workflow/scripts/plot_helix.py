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
    alpha: Path,
    routes: Path,
    layers: Path,
    picture: Path,
) -> None:
    """Four figures from the table; curves: of the points of the linear, or the first, route."""
    rows = parquet.read_table(table).query("model == @model")
    helix.draw_alpha(rows, model, alpha)
    helix.draw_routes(rows, model, routes)
    helix.draw_layers(rows, model, layers)
    last_curves = parquet.read_tables(curves).query("layer == layer.max()")
    shown = "linear" if "linear" in set(rows["route"]) else rows["route"].iloc[0]
    last = rows[(rows["route"] == shown) & (rows["layer"] == rows["layer"].max())]
    last_curves = last_curves.merge(last[["point", "position"]], on="point")
    verdicts = dict(zip(last["position"], last["verdict"], strict=True))
    draw_curves(last_curves, verdicts, model, picture)


if __name__ == "__main__":
    command.run(plot_helix)
