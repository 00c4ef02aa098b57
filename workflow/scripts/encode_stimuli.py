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


def encode_stimuli(
    recipe: Recipe,
    clips: Path,
    certificate: Path,
    inputs: Path,
    quarantine: Path,
    device: str,
    workers: int,
    code: str,
):
    """Render or read every clip and write the model's inputs (tokens), and the clips left out."""
    left_out = encode_clips(
        open_family(recipe.family, recipe.weights, recipe.options),
        parquet.read_table(clips),
        inputs,
        pick_device(device),
        workers,
        code,
        recipe=asdict(recipe),
        weights=json.loads(certificate.read_text())["hash"],
        stimuli=hash_file(clips),
    )
    parquet.write_table(left_out, quarantine)
    for row in left_out.itertuples():
        print(f"left out: clip {row.clip}: {row.reason}")


if __name__ == "__main__":
    command.run(
        encode_stimuli,
        out_of_memory="encode fewer clips at a time (`models.NAME.threads`) or shorter ones "
        "(`stimuli.SET.seconds`)",
    )
