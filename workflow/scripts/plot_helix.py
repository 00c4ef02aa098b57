"""Draw the pitch helix of one model: against alpha, along routes, through layers, in 3D."""

from pathlib import Path

from rasen import command
from rasen.figures import helix
from rasen.figures.helix_curves import draw_curves
from rasen.helix.layers import POOLED
from rasen.io import parquet


def plot_helix(
    table: Path,
    notes: Path,
    curves: Path,
    model: str,
    stimuli: str,
    alpha: Path,
    routes: Path,
    layers: Path,
    picture: Path,
) -> None:
    """Four figures of one set of notes; the tables may have several, and several models."""
    of_model = parquet.read_table(table).query("model == @model")
    rows = of_model.query("stimuli == @stimuli")
    title = model if len(rows) == len(of_model) else f"{model}, {stimuli}"
    helix.draw_alpha(rows, title, alpha)
    helix.draw_routes(rows, title, routes)
    helix.draw_layers(rows, title, layers)
    shown = "linear" if "linear" in set(rows["route"]) else rows["route"].iloc[0]
    last = rows[(rows["route"] == shown) & (rows["layer"] == rows["layer"].max())]
    names = {"model": model, "route": shown, "stimuli": stimuli, "instrument": POOLED}
    wanted = [(column, "==", name) for column, name in names.items()]
    wanted.append(("layer", "==", int(last["layer"].iloc[0])))
    verdicts = dict(zip(last["position"], last["verdict"], strict=True))
    draw_curves(
        parquet.read_table(notes, wanted), parquet.read_table(curves, wanted), verdicts, title,
        picture,
    )  # fmt: skip


if __name__ == "__main__":
    command.run(plot_helix)
