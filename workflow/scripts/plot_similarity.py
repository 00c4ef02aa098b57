"""Draw how alike the layers of one model are, to each other and to those of other models."""

from pathlib import Path

from rasen import command
from rasen.figures.similarity import draw_similarity
from rasen.io import parquet

ENDS = ("untrained", "trained")


def plot_similarity(table: Path, model: str, measure: str, figure: Path) -> None:
    """Maps of both ends of the route, and of this model with others; routes are in the table."""
    rows = parquet.read_table(table).query("model == @model")
    own = (rows["model_2"] == model) & (rows["point"] == rows["point_2"])
    shown = (own & rows["point"].isin(ENDS)) | (rows["model_2"] != model)
    draw_similarity(rows[shown], model, figure, measure)


if __name__ == "__main__":
    command.run(plot_similarity)
