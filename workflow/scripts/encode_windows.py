"""Write what a model reads of windows of the songs."""

import json
from dataclasses import asdict
from pathlib import Path

from rasen import command
from rasen.families.songbloom import SongBloomFamily
from rasen.io import parquet
from rasen.io.hashes import hash_file
from rasen.songbloom import stimuli
from rasen.songbloom.stimuli import WindowSettings
from rasen.study.recipe import Recipe


def encode_windows(
    recipe: Recipe,
    settings: WindowSettings,
    index: Path,
    clips: Path,
    certificate: Path,
    inputs: Path,
    quarantine: Path,
) -> None:
    """Write the model's inputs of every window, from the shards, and the windows left out."""
    left_out = stimuli.encode_windows(
        SongBloomFamily(recipe.weights, recipe.options),
        parquet.read_table(clips),
        index,
        settings,
        inputs,
        recipe=asdict(recipe),
        weights=json.loads(certificate.read_text())["hash"],
        stimuli=hash_file(clips),
    )
    parquet.write_table(left_out, quarantine)
    for row in left_out.itertuples():
        print(f"left out: clip {row.clip}: {row.reason}")


if __name__ == "__main__":
    command.run(encode_windows)
