"""Measure what a model loses when a layer is exchanged for its reconstruction."""

from pathlib import Path

from rasen import command, tables
from rasen.device import pick_device
from rasen.families.walk import open_at
from rasen.inputs import Inputs
from rasen.recovery import recovered
from rasen.sae import load


def measure_recovery(
    recipe: dict, inputs: Path, metrics: Path, layer: int, recovery: Path, device: str, batch: int
):
    """Run the model once with each of the best SAEs in the layer's place."""
    device = pick_device(device)
    family, network = open_at(recipe, device)
    best = tables.read(metrics).query("best")["sae"]
    saes = {name: load(metrics.parent / name, device).reconstruct for name in best}
    table = recovered(family, network, Inputs(inputs), layer, saes, device, batch)
    tables.write(table.rename(columns={"name": "sae"}), recovery)


if __name__ == "__main__":
    command.run(measure_recovery)
