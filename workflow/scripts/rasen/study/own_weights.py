"""The user's own folders of weights: what changes when their content is exchanged."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.io.hashes import hash_folder
from rasen.study.checkpoints import PLAIN, local_folder, made_by_rule, weights_of_checkpoint
from rasen.study.registry import FAMILIES


def own_weights(model: Mapping[str, Any], checkpoint: str, certificate: Path | str) -> str:
    """{folder: hash} as JSON of the user's own folders that a model's checkpoint rests on.

    The hash is of names, sizes and both ends of the files that are read. A folder that is not on
    this machine (results came without it) counts as in the certificate of an earlier run.
    """
    try:
        recorded = json.loads(Path(certificate).read_text(encoding="utf-8"))["own"]
    except (OSError, ValueError, KeyError, TypeError):
        recorded = {}
    own = {
        folder: hash_folder(folder, [*FAMILIES[family].weight_files, *PLAIN])
        if Path(folder).is_dir()
        else recorded.get(folder, "")
        for folder, family in _own_folders(model, checkpoint)
    }
    return json.dumps(own, sort_keys=True)


def _own_folders(model: Mapping[str, Any], checkpoint: str) -> Iterator[tuple[str, str]]:
    """(folder, family) of a checkpoint, and of the codec of the trained one, if not made here."""
    named = [(weights_of_checkpoint(model, checkpoint), model["family"])]
    if checkpoint == "trained":
        options = FAMILIES[model["family"]].options
        named += [(model[name], o.checkpoint_of) for name, o in options.items() if o.checkpoint_of]
    for weights, family in named:
        if weights and not made_by_rule(weights):
            yield local_folder(weights), family
