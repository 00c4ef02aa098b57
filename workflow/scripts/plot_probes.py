"""Draw what each layer of one model knows."""

from pathlib import Path

from rasen import command
from rasen.figures.probes import draw_choice, draw_concepts, draw_profiles
from rasen.io import parquet


def plot_probes(
    table: Path, model: str, kind: str, point: str, profiles: Path, choice: Path, concepts: Path
) -> None:
    """Three pages: profiles over layers, what choosing a layer is worth, concepts along routes.

    kind: of the probes that are drawn;  point: whose profiles
    """
    rows = parquet.read_table(table).query("model == @model and kind == @kind")
    routes = rows.loc[rows["point"] == point, "route"]
    of_point = rows[(rows["point"] == point) & (rows["route"] == routes.iloc[0])]
    draw_profiles(of_point, f"{model}, {point}", profiles)
    draw_choice(of_point, f"{model}, {point}", choice)
    draw_concepts(rows, model, concepts)


if __name__ == "__main__":
    command.run(plot_probes)
