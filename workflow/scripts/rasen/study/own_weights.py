"""The user's own folders of weights: what changes when their content is exchanged."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.io.hashes import hash_folder
from rasen.study.checkpoints import PLAIN, local_folder, made_by_rule, weights_of_checkpoint
from rasen.study.registry import FAMILIES, SONGBLOOM_FILES

Folders = Iterable[tuple[str, tuple[str, ...]]]  # (folder, patterns of the files that are read)


def own_weights(model: Mapping[str, Any], checkpoint: str, certificate: Path | str) -> str:
    """{folder: hash} as JSON of the user's own folders that a model's checkpoint rests on.

    The hash is of names, sizes and both ends of the files that are read. A folder that is not on
    this machine (results came without it) counts as in the certificate of an earlier run.
    """
    return _hashes(_own_folders(model, checkpoint), certificate)


def own_start(init_from: str, certificate: Path | str) -> str:
    """The same of the checkpoint that a training run goes on from."""
    own = [] if made_by_rule(init_from) else [(local_folder(init_from), SONGBLOOM_FILES)]
    return _hashes(own, certificate)


def _hashes(folders: Folders, certificate: Path | str) -> str:
    try:
        recorded = json.loads(Path(certificate).read_text(encoding="utf-8"))["own"]
    except (OSError, ValueError, KeyError, TypeError):
        recorded = {}
    own = {
        folder: hash_folder(folder, [*files, *PLAIN])
        if Path(folder).is_dir()
        else recorded.get(folder, "")
        for folder, files in folders
    }
    return json.dumps(own, sort_keys=True)


def _own_folders(
    model: Mapping[str, Any], checkpoint: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(folder, its files) of a checkpoint and the trained one's codecs, if not made here."""
    entry = FAMILIES[model["family"]]
    named = [(weights_of_checkpoint(model, checkpoint), entry.weight_files)]
    if checkpoint == "trained":
        options = entry.options.items()
        named += [(model[name], o.weight_files) for name, o in options if o.weight_files]
    for weights, files in named:
        if weights and not made_by_rule(weights):
            yield local_folder(weights), files
