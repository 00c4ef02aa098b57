"""Save a model at a point as a checkpoint folder."""

from pathlib import Path

from rasen import command
from rasen.families.walk import open_at


def export_point(recipe: dict, folder: Path):
    """Write a folder that the model's own library opens (transformers' from_pretrained)."""
    family, network = open_at(recipe, "cpu")
    family.export(network, folder)


if __name__ == "__main__":
    command.run(export_point)
