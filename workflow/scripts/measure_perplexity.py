"""Measure the loss of held-out clips under a model at a point."""

from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.inputs import Inputs
from rasen.measure.interpolate import load_at_point
from rasen.measure.perplexity import clip_losses
from rasen.study.recipe import Recipe


def measure_perplexity(
    recipe: Recipe,
    inputs: Path,
    losses: Path,
    model: str,
    point: str,
    device: str,
    gpus: int,
    batch: int,
):
    """Write the summed cross entropy and the number of targets of every clip and codebook."""
    device = pick_device(device, gpus)
    family, network = load_at_point(recipe, device, gpus)
    table = clip_losses(family, network, Inputs(inputs), device, batch)
    parquet.write_table(table.assign(model=model, point=point), losses)


if __name__ == "__main__":
    command.run(
        measure_perplexity,
        out_of_memory="set a lower `models.{model}.batch` or more `models.{model}.gpus`",
    )
