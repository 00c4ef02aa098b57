"""Move a linear point against the gradient of the loss."""

from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.inputs import Inputs
from rasen.measure.gradient import correct_network
from rasen.measure.interpolate import load_at_point
from rasen.study.recipe import Correction, Recipe
from rasen.weights.network_tensors import save_network


def correct_gradient(
    recipe: Recipe,
    inputs: Path,
    correction: Correction,
    corrected: Path,
    losses: Path,
    model: str,
    point: str,
    device: str,
    gpus: int,
    batch: int,
    checkpointing: bool,
):
    """Save the corrected weights, and the loss before and after each step."""
    device = pick_device(device, gpus)
    family, network = load_at_point(recipe, device, gpus)
    table = correct_network(
        family, network, Inputs(inputs), correction.eta, correction.steps, device, batch,
        checkpointing,
    )  # fmt: skip
    table = table.assign(steps=correction.steps, data=correction.data)
    parquet.write_table(table.assign(model=model, point=point), losses)
    save_network(network, corrected)


if __name__ == "__main__":
    command.run(
        correct_gradient,
        out_of_memory="set a lower `models.{model}.gradient.batch`, `checkpointing: true` beside "
        "it, or more `models.{model}.gpus`",
    )
