"""Draw the pitch helix of one model: against alpha, along routes, through layers, in 3D."""

from pathlib import Path

from rasen import command
from rasen.figures import helix
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
    """Four figures from the table; curves are those of the points of the linear route."""
    rows = parquet.read_table(table).query("model == @model")
    helix.draw_alpha(rows, alpha)
    helix.draw_routes(rows, routes)
    helix.draw_layers(rows, layers)
    last = rows.query("route == 'linear' and layer == layer.max()")
    last_curves = parquet.read_tables(curves).query("layer == layer.max()")
    last_curves = last_curves.merge(last[["point", "position"]], on="point")
    helix.draw_curves(
        last_curves, dict(zip(last["position"], last["verdict"], strict=True)), picture
    )


if __name__ == "__main__":
    command.run(plot_helix)
