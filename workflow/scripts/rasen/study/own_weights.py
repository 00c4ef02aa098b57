"""The files of a checkpoint; of the user's own, what changes when their content is exchanged."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.io.hashes import hash_folder
from rasen.study.checkpoints import PLAIN, local_folder, made_by_rule, weights_of_checkpoint
from rasen.study.registry import FAMILIES

Weights = Iterable[tuple[str, tuple[str, ...]]]  # (weights, patterns of the files that are read)


def own_weights(model: Mapping[str, Any], checkpoint: str, certificate: Path | str) -> str:
    """{folder: hash} as JSON of the user's own folders that a model's checkpoint rests on.

    The hash is of names, sizes and both ends of the files that are read. A folder that is not on
    this machine (results came without it) counts as in the certificate of an earlier run.
    """
    return own_hashes(_folders(model, checkpoint), certificate)


def files_of_checkpoint(model: Mapping[str, Any], checkpoint: str) -> str:
    """{folder: patterns of its files that are read} as JSON of all that a checkpoint rests on."""
    return named_files(_folders(model, checkpoint))


def own_hashes(named: Weights, certificate: Path | str) -> str:
    """What `own_weights` gives, of any weights."""
    try:
        recorded = json.loads(Path(certificate).read_text(encoding="utf-8"))["own"]
    except (OSError, ValueError, KeyError, TypeError):
        recorded = {}
    own = {
        folder: hash_folder(folder, [*files, *PLAIN])
        if Path(folder).is_dir()
        else recorded.get(folder, "")
        for weights, files in named
        if not made_by_rule(weights) and (folder := local_folder(weights))
    }
    return json.dumps(own, sort_keys=True)


def named_files(named: Weights) -> str:
    """What `files_of_checkpoint` gives, of any weights."""
    patterns: dict[str, list[str]] = {}
    for weights, files in named:  # one repository may hold several
        patterns.setdefault(local_folder(weights), list(PLAIN)).extend(files)
    return json.dumps(patterns, sort_keys=True)


def _folders(model: Mapping[str, Any], checkpoint: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(weights, patterns of their files) of a checkpoint and the trained one's codecs."""
    entry = FAMILIES[model["family"]]
    yield weights_of_checkpoint(model, checkpoint), entry.weight_files
    if checkpoint == "trained":
        for name, option in entry.options.items():
            if option.weight_files and model[name]:
                yield model[name], option.weight_files
