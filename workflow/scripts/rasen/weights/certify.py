"""Find out whether a checkpoint on disk is sound, before a day of jobs rests on it."""

from pathlib import Path

import torch
from tqdm import tqdm

from rasen import fingerprint
from rasen.errors import one_error
from rasen.weights.checkpoint import exported, files, read


def certify(folder, formats, expected=None):
    """Sizes and SHA-256 of a checkpoint's files, and one hash of all; raises when it is damaged.

    Every tensor is read once: a file cut short, a tensor with NaN or infinite values are named.
    formats: file patterns that the model's family reads. expected: {file name: SHA-256} that the
    config gives, compared before anything is opened.
    """
    _compare(Path(folder), expected or {})
    if formats == ["state_dict.bin"]:
        paths = [Path(folder) / "state_dict.bin"]
        tensors, _ = exported(paths[0])
    else:
        paths, tensors = files(folder), read(folder)
    values = ((name, tensor.read()) for name, tensor in tensors.items())
    broken, numbers = [], 0
    for name, value in tqdm(values, "check", len(tensors), unit="tensor", disable=None):
        numbers += value.numel()
        if value.is_floating_point() and not torch.isfinite(value).all():
            broken.append(f"{name} holds NaN or infinite values")
    heading = f"{folder}: broken weights; fetch or train the checkpoint again:"
    if error := one_error(broken, heading):
        raise error
    sizes = {path.name: path.stat().st_size for path in paths}
    hashes = {path.name: fingerprint.file(path) for path in paths}
    return {
        "hash": fingerprint.short("".join(hashes.values())),
        "tensors": len(tensors),
        "numbers": numbers,
        "bytes": sizes,
        "sha256": hashes,
    }


def _compare(folder, expected):
    """Raise when a file is not there or not the one that the config means."""
    problems = []
    for name, digest in expected.items():
        path = folder / name
        found = fingerprint.file(path) if path.is_file() else "no such file"
        if found != digest.lower():
            problems.append(f"{path}: {found}, but the config's sha256 says {digest}")
    heading = "not the weights that the config means; fetch them again or correct `sha256`:"
    if error := one_error(problems, heading):
        raise error
