"""Move a linear point against the gradient of the loss."""

from pathlib import Path

from rasen import command, tables
from rasen.device import pick_device
from rasen.families.walk import open_at
from rasen.gradient import correct
from rasen.inputs import Inputs
from rasen.weights.checkpoint import save


def correct_gradient(
    recipe: dict,
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
    family, network = open_at(recipe | {"dtype": "float32"}, device)
    table = correct(family, network, Inputs(inputs), eta, steps, device, batch)
    tables.write(table.assign(model=model, point=point), losses)
    save(network, corrected)


if __name__ == "__main__":
    command.run(correct_gradient)
