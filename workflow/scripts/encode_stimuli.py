"""Encode a stimulus set for a model."""

import json
from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.families import open_family
from rasen.io import parquet
from rasen.io.hashes import hash_file
from rasen.measure.encoding import encode_clips
from rasen.study.recipe import Recipe


def encode_stimuli(recipe: Recipe, clips: Path, certificate: Path, inputs: Path, device: str):
    """Render or read every clip and write the model's inputs (tokens)."""
    encode_clips(
        open_family(recipe.family, recipe.weights, recipe.options),
        parquet.read_table(clips),
        inputs,
        pick_device(device),
        recipe=asdict(recipe),
        weights=json.loads(certificate.read_text())["hash"],
        stimuli=hash_file(clips),
    )


if __name__ == "__main__":
    command.run(
        encode_stimuli,
        out_of_memory="encode fewer clips at a time (`models.NAME.threads`) or shorter ones "
        "(`stimuli.SET.seconds`)",
    )
