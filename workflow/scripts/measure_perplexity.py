"""Measure the loss of held-out clips under a model at a point."""

from pathlib import Path

from rasen import command, tables
from rasen.device import pick_device
from rasen.families.walk import open_at
from rasen.inputs import Inputs
from rasen.perplexity import clip_losses


def measure_perplexity(
    recipe: dict, inputs: Path, losses: Path, model: str, point: str, device: str, batch: int
):
    """Write the summed cross entropy and the number of targets of every clip and codebook."""
    device = pick_device(device)
    family, network = open_at(recipe, device)
    table = clip_losses(family, network, Inputs(inputs), device, batch)
    tables.write(table.assign(model=model, point=point), losses)


if __name__ == "__main__":
    command.run(measure_perplexity)
