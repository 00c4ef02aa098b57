"""Measure the loss of every layer of a model at a point."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.inputs import Inputs
from rasen.measure.interpolate import load_at_point
from rasen.measure.lens import layer_losses
from rasen.measure.summary import summarise_losses
from rasen.study.recipe import Recipe


def measure_lens(
    recipe: Recipe,
    inputs: Path,
    rows: Path,
    model: str,
    point: str,
    bootstrap: int,
    seed: int,
    device: str,
    gpus: int,
    batch: int,
):
    """Write the loss and perplexity of every layer and codebook, with intervals over clips."""
    device = pick_device(device, gpus)
    family, network = load_at_point(recipe, device, gpus)
    losses = layer_losses(family, network, Inputs(inputs), device, batch)
    # One seed for all: layers and points are compared on the same resampled clips.
    layers = [
        summarise_losses(of_layer, bootstrap, seed).assign(layer=layer)
        for layer, of_layer in losses.groupby("layer")
    ]
    parquet.write_table(pd.concat(layers).assign(model=model, point=point), rows)


if __name__ == "__main__":
    command.run(
        measure_lens,
        out_of_memory="set a lower `models.{model}.batch` or more `models.{model}.gpus`",
    )
