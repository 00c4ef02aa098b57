"""Save a model at a point as a checkpoint folder."""

from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.measure.interpolate import load_at_point
from rasen.study.recipe import Recipe


def export_point(recipe: Recipe, folder: Path):
    """Write a folder that the model's own library opens (transformers' from_pretrained)."""
    family, network = load_at_point(recipe, pick_device("cpu"))
    family.export(network, folder)


if __name__ == "__main__":
    command.run(export_point)
