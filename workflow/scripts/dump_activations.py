"""Dump the activations of a model at a point."""

import json
from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.io.atomic import write_text
from rasen.io.hashes import hash_file
from rasen.io.inputs import Inputs
from rasen.measure.activations import DumpSettings, describe, dump
from rasen.measure.interpolate import load_at_point
from rasen.study.recipe import Recipe


def dump_activations(
    recipe: Recipe,
    inputs: Path,
    certificate: Path,
    activations: Path,
    description: Path,
    model: str,
    settings: DumpSettings,
    code: str,
    device: str,
    gpus: int,
    batch: int,
):
    """Run the model at its point over encoded stimuli; write what its layers give, described."""
    device = pick_device(device, gpus)
    family, network = load_at_point(recipe, device, gpus)
    dump(
        family,
        network,
        Inputs(inputs),
        activations,
        settings,
        device,
        batch,
        model=model,
        point=recipe.point,
        recipe=asdict(recipe),
        weights=json.loads(certificate.read_text())["hash"],
        stimuli=hash_file(inputs),
        code=code,
    )
    write_text(description, json.dumps(describe(activations), indent=1))


if __name__ == "__main__":
    command.run(
        dump_activations,
        out_of_memory="set a lower `models.{model}.batch` or more `models.{model}.gpus`",
    )
