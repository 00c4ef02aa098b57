"""What has to come from the hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rasen.study.checkpoints import hub_id, local_folder, model_weights
from rasen.study.registry import FAMILIES
from rasen.study.scoring import score_weights
from rasen.study.song_models import SONG_MODELS, song_weights


def downloads(config: Mapping[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """{folder name: (hub id, patterns of weight files, best first)} of every download."""
    named = [(weights, FAMILIES[kind].weight_files) for _, weights, kind in model_weights(config)]
    named += [
        (weights, SONG_MODELS[kind].weight_files) for _, weights, kind in song_weights(config)
    ]
    named += [(weights, files) for _, weights, files in score_weights(config)]
    return {
        Path(local_folder(weights)).name: (weights, files)
        for weights, files in named
        if hub_id(weights)
    }
