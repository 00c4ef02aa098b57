"""Measure what a model loses when a layer is replaced by its reconstruction."""

from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.inputs import Inputs
from rasen.measure.interpolate import load_at_point
from rasen.measure.recovery import loss_recovered
from rasen.sae.saelens_format import load
from rasen.study.recipe import Recipe


def measure_recovery(
    recipe: Recipe,
    inputs: Path,
    metrics: Path,
    model: str,
    layer: int,
    recovery: Path,
    device: str,
    gpus: int,
    batch: int,
):
    """Run the model once with each of the best SAEs in the layer's place."""
    device = pick_device(device, gpus)
    family, network = load_at_point(recipe, device, gpus)
    best = parquet.read_table(metrics).query("best")["sae"]
    saes = {name: load(metrics.parent / name, device).reconstruct for name in best}
    table = loss_recovered(family, network, Inputs(inputs), layer, saes, device, batch)
    table = table.rename(columns={"name": "sae"})
    parquet.write_table(table.assign(model=model, point=recipe.point, layer=layer), recovery)


if __name__ == "__main__":
    command.run(
        measure_recovery,
        out_of_memory="set a lower `models.{model}.batch` or more `models.{model}.gpus`",
    )
