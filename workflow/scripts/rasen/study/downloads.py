"""What has to come from the hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rasen.study.checkpoints import hub_id, local_folder, model_weights
from rasen.study.scoring import score_weights
from rasen.study.song_models import SONG_MODELS, song_weights


def downloads(config: Mapping[str, Any]) -> dict[str, tuple[str, list[tuple[str, ...]]]]:
    """{folder name: (hub id, for each use the patterns of its files, best first)}.

    A repository may hold several models, SongBloom's a VAE beside the network.
    """
    named = [(weights, files) for _, weights, files in model_weights(config)]
    named += [
        (weights, SONG_MODELS[kind].weight_files) for _, weights, kind in song_weights(config)
    ]
    named += [(weights, files) for _, weights, files in score_weights(config)]
    found: dict[str, tuple[str, list[tuple[str, ...]]]] = {}
    for weights, files in named:
        if hub_id(weights):
            _, uses = found.setdefault(Path(local_folder(weights)).name, (weights, []))
            uses += [files] * (files not in uses)
    return found
