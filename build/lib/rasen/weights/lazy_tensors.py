"""Checkpoint folders as lazy tensors: names and shapes at once, values when asked for."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from rasen.errors import RasenError, raise_all

PIECE = 1 << 19  # numbers read at once: 2 MB of float32 stay in the processor's cache
_BUFFER = torch.empty(8 * PIECE, dtype=torch.uint8)  # where pieces are read, one after the other
CURE = "fetch or copy the checkpoint again"
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


@dataclass(frozen=True)
class LazyTensor:
    """A tensor that is not there yet: its shape now, its values (on the CPU) on `read()`."""

    shape: tuple[int, ...]
    read: Callable[[], torch.Tensor]
    read_pieces: Callable[[], Iterator] | None = None  # where that costs less than the whole

    def part(self, index: int, parts: int) -> "LazyTensor":
        """One of `parts` equal slices along the first axis."""
        return LazyTensor(
            (self.shape[0] // parts, *self.shape[1:]),
            lambda: self.read().chunk(parts)[index],
        )

    def pieces(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """(slice, values) of the flattened tensor; values hold until a next piece is read."""
        if self.read_pieces:
            return self.read_pieces()
        return iter([(slice(None), self.read().flatten())])


def weight_files(folder: Path | str) -> list[Path]:
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


def read_checkpoint(folder: Path | str) -> tuple[list[Path], dict[str, LazyTensor]]:
    """The files of a checkpoint folder, and every tensor in them."""
    return weight_files(folder), read_folder(folder)


def read_folder(folder: Path | str) -> dict[str, LazyTensor]:
    """Every tensor of a checkpoint folder by name."""
    tensors: dict[str, LazyTensor] = {}
    for path in weight_files(folder):
        if not path.is_file():
            raise RasenError(f"{path}: named by the checkpoint's index but missing; {CURE}")
        tensors |= read_safetensors(path) if path.suffix == ".safetensors" else read_pytorch(path)
    return tensors


def read_safetensors(path: Path | str) -> dict[str, LazyTensor]:
    """Every tensor of one safetensors file as {name: LazyTensor}."""
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
    """The LazyTensor of one entry of a safetensors header whose data begin at byte `base`.

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

    return LazyTensor(shape, whole, pieces)


def _read_into(file, values, path):
    """Fill a flat tensor from a file's position on."""
    left = memoryview(values.view(torch.uint8).numpy())
    while left:  # one call reads 2 GB at most
        count = file.readinto(left)
        if not count:
            raise RasenError(f"{path}: cut short; {CURE}")
        left = left[count:]


def read_pytorch(path: Path | str) -> dict[str, LazyTensor]:
    """Tensors of a PyTorch file as {name: LazyTensor}."""
    return in_memory(load_pytorch(path))


def in_memory(state: Mapping[str, torch.Tensor]) -> dict[str, LazyTensor]:
    """Tensors that are there already as {name: LazyTensor}."""
    return {name: _held(tensor) for name, tensor in state.items()}


def _held(tensor: torch.Tensor) -> LazyTensor:
    return LazyTensor(tuple(tensor.shape), lambda: tensor)


def load_pytorch(path: Path | str) -> Any:
    """What a PyTorch file holds, without running any code that it may carry."""
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # torch raises many types here, all of them mean one thing
        reason = str(error).splitlines()[0]
        raise RasenError(f"{path}: damaged or not plain weights ({reason}); {CURE}") from None


def require_tensors(
    tensors: Mapping[str, LazyTensor], wanted: Mapping[str, Sequence[int]], where: Path | str
) -> None:
    """Raise, naming the first differences, unless `tensors` has every wanted name and shape.

    wanted: {name: shape}
    """
    missing = [f"missing: {name} {list(wanted[name])}" for name in wanted if name not in tensors]
    shapes = [
        f"shape of {name}: {list(tensors[name].shape)}, expected {list(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != tuple(shape)
    ]
    extra = [f"unexpected: {name}" for name in tensors if name not in wanted]
    problems = missing + shapes + extra
    heading = f"{where}: not a checkpoint of this architecture (check `family` and `weights`):"
    raise_all(problems, heading, shown=5)
