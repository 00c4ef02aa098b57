"""Dump the activations of a model at a point."""

import json
from pathlib import Path

from rasen import activations as stage
from rasen import command, fingerprint, store
from rasen.device import pick_device
from rasen.families.walk import open_at
from rasen.inputs import Inputs


def dump_activations(
    recipe: dict,
    inputs: Path,
    certificate: Path,
    activations: Path,
    description: Path,
    model: str,
    settings: dict,
    code: str,
    device: str,
    batch: int,
):
    """Run the model at its point over encoded stimuli; write what its layers give, described."""
    device = pick_device(device)
    family, network = open_at(recipe, device)
    stage.dump(
        family,
        network,
        Inputs(inputs),
        activations,
        settings,
        device,
        batch,
        model=model,
        point=recipe["point"],
        recipe=recipe,
        weights=json.loads(certificate.read_text())["hash"],
        stimuli=fingerprint.file(inputs),
        code=code,
    )
    store.write_text(description, json.dumps(stage.describe(activations), indent=1))


if __name__ == "__main__":
    command.run(dump_activations)
