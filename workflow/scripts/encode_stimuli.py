"""Encode a stimulus set for a model."""

import json
from pathlib import Path

from rasen import command, fingerprint, tables
from rasen.device import pick_device
from rasen.encoding import encode
from rasen.families import open_family


def encode_stimuli(recipe: dict, clips: Path, certificate: Path, inputs: Path, device: str):
    """Render or read every clip and write what the model takes in (tokens)."""
    encode(
        open_family(recipe["family"], recipe["weights"], recipe["options"]),
        tables.read(clips),
        inputs,
        pick_device(device),
        recipe=recipe,
        weights=json.loads(certificate.read_text())["hash"],
        stimuli=fingerprint.file(clips),
    )


if __name__ == "__main__":
    command.run(encode_stimuli)
