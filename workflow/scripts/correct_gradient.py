"""Move a linear point against the gradient of the loss."""

from dataclasses import replace
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.inputs import Inputs
from rasen.measure.gradient import correct_network
from rasen.measure.interpolate import load_at_point
from rasen.study.recipe import Recipe
from rasen.weights.network_tensors import save_network


def correct_gradient(
    recipe: Recipe,
    inputs: Path,
    eta: float,
    steps: int,
    corrected: Path,
    losses: Path,
    model: str,
    point: str,
    device: str,
    batch: int,
):
    """Save the corrected weights, and the loss before and after each step."""
    device = pick_device(device)
    # Gradients are taken in float32 whatever the model runs in: a small step would round away.
    family, network = load_at_point(replace(recipe, dtype="float32"), device)
    table = correct_network(family, network, Inputs(inputs), eta, steps, device, batch)
    parquet.write_table(table.assign(model=model, point=point), losses)
    save_network(network, corrected)


if __name__ == "__main__":
    command.run(correct_gradient)
