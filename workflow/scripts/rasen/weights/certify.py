"""Find out whether a checkpoint on disk is sound, before a day of jobs rests on it."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from rasen.errors import raise_all
from rasen.io.hashes import hash_file, short_hash
from rasen.weights.kept import require_hashes


def certify(
    folder: Path | str, reader: str, expected: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Sizes and SHA-256 of a checkpoint's files, and one hash of all; raises when it is damaged.

    Every tensor is read once: a file cut short, a tensor with NaN or infinite values are named.
    reader: "module:function" of the model's family. expected: {file name: SHA-256} that the config
    gives, compared before anything is opened.
    """
    require_hashes(Path(folder), expected or {})
    module, function = reader.split(":")
    paths, tensors = getattr(import_module(module), function)(folder)
    values = ((name, tensor.read()) for name, tensor in tensors.items())
    broken, numbers = [], 0
    for name, value in tqdm(values, "check", len(tensors), unit="tensor", disable=None):
        numbers += value.numel()
        if value.is_floating_point() and not torch.isfinite(value).all():
            broken.append(f"{name} holds NaN or infinite values")
    raise_all(broken, f"{folder}: broken weights; fetch or train the checkpoint again:")
    hashes = {path.name: hash_file(path) for path in paths}
    return {
        "hash": short_hash("".join(hashes.values())),
        "tensors": len(tensors),
        "numbers": numbers,
        "bytes": {path.name: path.stat().st_size for path in paths},
        "sha256": hashes,
    }
