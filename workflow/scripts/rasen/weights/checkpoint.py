"""Checkpoint folders as lazy tensors: names and shapes at once, values when asked for."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rasen.errors import RasenError, one_error
from rasen.weights.fill import slots

CURE = "fetch or copy the checkpoint again"
SHOWN = 5  # differences named in one message


@dataclass(frozen=True)
class Lazy:
    """A tensor on disk: its shape now, its values (on the CPU) on `read()`."""

    shape: tuple
    read: Callable[[], torch.Tensor]

    def part(self, index, parts):
        """One of `parts` equal slices along the first axis."""
        return Lazy(
            (self.shape[0] // parts, *self.shape[1:]),
            lambda: self.read().chunk(parts)[index],
        )


def files(folder):
    """The files of a folder that hold weights: safetensors (sharded or not), else PyTorch's."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RasenError(
            f"{folder}: no such folder; give `weights` a local checkpoint folder or a hub id"
        )
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        if (folder / index).is_file():
            shards = json.loads((folder / index).read_text())["weight_map"].values()
            return [folder / shard for shard in sorted(set(shards))]
    for name in ("model.safetensors", "pytorch_model.bin", "state_dict.bin"):
        if (folder / name).is_file():
            return [folder / name]
    raise RasenError(
        f"{folder}: holds no weights; expected model.safetensors (or its shards), "
        "pytorch_model.bin or state_dict.bin"
    )


def read(folder):
    """Every tensor of a checkpoint folder as {name: Lazy}."""
    tensors = {}
    for path in files(folder):
        if not path.is_file():
            raise RasenError(f"{path}: named by the checkpoint's index but missing; {CURE}")
        tensors |= read_file(path) if path.suffix == ".safetensors" else pickled(path)
    return tensors


def read_file(path):
    """Every tensor of one safetensors file as {name: Lazy}."""
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None

    def reader(name):
        def read_one():
            # Opened anew for each tensor: an open map would keep every page it touched.
            with safe_open(path, framework="pt") as file:
                return file.get_tensor(name)

        return read_one

    return {name: Lazy(shape, reader(name)) for name, shape in shapes.items()}


def save(network, path):
    """Write a network's tensors as one safetensors file, which appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    tensors = {name: t.detach().cpu().contiguous() for name, t in slots(network).items()}
    save_file(tensors, partial)
    partial.replace(path)


def pickled(path, inside=None):
    """Tensors of a PyTorch file (memory-mapped, weights only), or of one dictionary inside it."""
    content = unpickle(path)
    state = content[inside] if inside else content
    return {name: Lazy(tuple(t.shape), lambda t=t: t) for name, t in state.items()}


def unpickle(path):
    """What a PyTorch file holds, without running any code that it may carry."""
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # torch raises many types here, all of them mean one thing
        reason = str(error).splitlines()[0]
        raise RasenError(f"{path}: damaged or not plain weights ({reason}); {CURE}") from None


def compare(found, wanted, where):
    """Raise, naming the first differences, unless `found` has every wanted name and shape.

    found: {name: Lazy};  wanted: {name: shape}
    """
    missing = [f"missing: {name} {list(wanted[name])}" for name in wanted if name not in found]
    shapes = [
        f"shape of {name}: {list(found[name].shape)}, expected {list(shape)}"
        for name, shape in wanted.items()
        if name in found and tuple(found[name].shape) != tuple(shape)
    ]
    extra = [f"unexpected: {name}" for name in found if name not in wanted]
    problems = missing + shapes + extra
    if len(problems) > SHOWN:
        problems = problems[:SHOWN] + [f"and {len(problems) - SHOWN} more differences"]
    heading = f"{where}: not a checkpoint of this architecture (check `family` and `weights`):"
    if error := one_error(problems, heading):
        raise error
