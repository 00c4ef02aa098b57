"""Checkpoint folders as lazy tensors: names and shapes at once, values when asked for."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors.torch import save_file

from rasen.errors import RasenError, one_error
from rasen.weights.fill import slots

PIECE = 1 << 19  # numbers read at once: 2 MB of float32 stay in the processor's cache
_BUFFER = torch.empty(8 * PIECE, dtype=torch.uint8)  # where pieces are read, one after the other
CURE = "fetch or copy the checkpoint again"
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


@dataclass(frozen=True)
class Lazy:
    """A tensor that is not there yet: its shape now, its values (on the CPU) on `read()`."""

    shape: tuple
    read: Callable[[], torch.Tensor]
    read_pieces: Callable[[], Iterator] | None = None  # where that costs less than the whole

    def part(self, index, parts):
        """One of `parts` equal slices along the first axis."""
        return Lazy(
            (self.shape[0] // parts, *self.shape[1:]),
            lambda: self.read().chunk(parts)[index],
        )

    def pieces(self):
        """(slice, values) of the flattened tensor; values hold until a next piece is read."""
        if self.read_pieces:
            return self.read_pieces()
        return iter([(slice(None), self.read().flatten())])


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
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
    raise RasenError(
        f"{folder}: holds no weights; expected model.safetensors (or its shards) "
        "or pytorch_model.bin"
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
    path = Path(path)
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        end = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if path.stat().st_size != end:
            raise ValueError(f"{path.stat().st_size} bytes, expected {end}")
        return {name: _entry(path, 8 + length, entry) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError) as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None


def _entry(path, base, entry):
    """The Lazy of one entry of a safetensors header whose data begin at byte `base`.

    Plain reads into memory that is used again: faster than touching a mapped file for the first
    time, which costs a page fault every 64 KB, and never more than a piece beside the target.
    """
    shape, dtype = tuple(entry["shape"]), DTYPES[entry["dtype"]]
    count, offset = prod(shape), base + entry["data_offsets"][0]

    def pieces():
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            for first in range(0, count, PIECE):
                values = _BUFFER.view(dtype)[: min(PIECE, count - first)]
                _read_into(file, values, path)
                yield slice(first, first + len(values)), values

    def whole():
        values = torch.empty(count, dtype=dtype)
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            _read_into(file, values, path)
        return values.view(shape)

    return Lazy(shape, whole, pieces)


def _read_into(file, values, path):
    """Fill a flat tensor from a file's position on."""
    left = memoryview(values.view(torch.uint8).numpy())
    while left:  # one call reads 2 GB at most
        count = file.readinto(left)
        if not count:
            raise RasenError(f"{path}: cut short; {CURE}")
        left = left[count:]


def save(network, path):
    """Write a network's tensors as one safetensors file, which appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    tensors = {name: t.detach().cpu().contiguous() for name, t in slots(network).items()}
    save_file(tensors, partial)
    partial.replace(path)


def pickled(path):
    """Tensors of a PyTorch file as {name: Lazy}."""
    return _in_memory(unpickled(path))


def exported(path):
    """Tensors {name: Lazy} and settings (YAML) of a model that audiocraft exported."""
    if not Path(path).is_file():
        raise RasenError(f"{path}: no such file; `weights` of an audiocraft model is its folder")
    content = unpickled(path)
    state, settings = content.get("best_state"), content.get("xp.cfg")
    if not isinstance(settings, str) or not isinstance(state, dict) or "model" in state:
        raise RasenError(
            f"{path}: not an exported audiocraft model; make one from a training checkpoint "
            "with audiocraft.utils.export.export_lm"
        )
    return _in_memory(state), settings


def _in_memory(state):
    return {name: Lazy(tuple(t.shape), lambda t=t: t) for name, t in state.items()}


def unpickled(path):
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
    heading = f"{where}: not a checkpoint of this architecture (check `family` and `weights`):"
    if error := one_error(problems, heading, shown=5):
        raise error
