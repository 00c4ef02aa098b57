"""The codebook of the sketch: K vectors, and the nearest of them for each frame.

codebook = load_codebook("codebook.safetensors")
sketch = nearest_codes(codebook, x)             # x [T, d] -> uint16 [T]
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.io.atomic import whole_file
from rasen.weights import lazy_tensors

ABOUT = "rasen"  # the key of the metadata in a file
LARGEST = 65536  # codes that uint16 can number
CELLS = 2**26  # distances held in memory at a time (256 MiB)


@dataclass(frozen=True)
class Codebook:
    """vectors [K, d] float32; metadata: what they were trained on (model, layer, ...)."""

    vectors: np.ndarray
    metadata: Mapping[str, str] = field(default_factory=dict)


@torch.inference_mode()
def nearest_codes(
    codebook: Codebook, x: np.ndarray, block: int | None = None, device: str = "cpu"
) -> np.ndarray:
    """The nearest code of each row of x [T, d], uint16 [T]; the lowest of equally near ones.

    A float32 matrix product selects, for each row, all codes within a rounding error of the
    nearest; the distances of these are compared in float64. So the result does not depend on the
    block (rows per product), the machine, or the order of equal codes.
    """
    codes = as_vectors(codebook.vectors, "codebook", device)
    vectors = as_vectors(x, "x", device, empty=True)
    if vectors.shape[1] != codes.shape[1]:
        raise RasenError(
            f"codebook: made for {codes.shape[1]} dimensions, not the {vectors.shape[1]} of these "
            "vectors; encode with the model and layer it was trained on"
        )
    check_size(len(codes), "codebook")
    half = (codes.double().square().sum(dim=1) / 2).float()
    largest = (2 * half.max()).sqrt()
    block = block or max(1, CELLS // len(codes))
    result = np.empty(len(vectors), dtype=np.uint16)
    for begin in range(0, len(vectors), block):
        some = vectors[begin : begin + block]
        score = torch.addmm(half, some, codes.T, alpha=-1)
        # twice the bound on the rounding error of a sum of d products
        error = (some.norm(dim=1) + largest) * largest * (len(some[0]) + 4) * 2**-23
        rows, close = (score <= (score.min(dim=1).values + error)[:, None]).nonzero(as_tuple=True)
        exact = torch.cat(
            [
                (some[r].double() - codes[c].double()).square().sum(dim=1)
                for r, c in zip(rows.split(4096), close.split(4096), strict=True)
            ]
        )
        rows, close, exact = rows.cpu().numpy(), close.cpu().numpy(), exact.cpu().numpy()
        order = np.lexsort((close, exact, rows))
        first = np.unique(rows[order], return_index=True)[1]
        result[begin : begin + block] = close[order][first]
    return result


def save_codebook(codebook: Codebook, path: Path | str) -> None:
    """Write codebook.safetensors: `codebook` [K, d] and the metadata; whole or not at all.

    Equal codebooks are equal files, whose hash tells songs of one codebook from others: the
    metadata are one text, as safetensors writes several in any order.
    """
    from safetensors.numpy import save_file

    vectors = np.ascontiguousarray(codebook.vectors, dtype=np.float32)
    about = json.dumps(dict(codebook.metadata), sort_keys=True)
    with whole_file(path) as partial:
        save_file({"codebook": vectors}, partial, metadata={ABOUT: about})


def load_codebook(path: Path | str) -> Codebook:
    """A Codebook from a file, trained here or by the user.

    A .safetensors or .npy file with one array [K, d], or the state dict of a VectorQuantize of
    vector-quantize-pytorch (.safetensors, .pt) whose codes are as wide as its input.
    """
    path = Path(path)
    if not path.is_file():
        raise RasenError(f"{path}: no such file; run train_codebook, or correct the path")
    arrays, metadata = _read_arrays(path)
    if any(name.startswith("project_") for name in arrays):
        raise RasenError(f"{path}: its codes need a projection; give them as wide as the input")
    for name in ("codebook", "_codebook.embed"):
        arrays = {name: arrays[name]} if name in arrays else arrays
    if len(arrays) != 1:
        raise RasenError(f"{path}: holds {len(arrays)} arrays; give one, named `codebook`")
    (vectors,) = arrays.values()
    if vectors.ndim == 3 and len(vectors) == 1:  # one head
        vectors = vectors[0]
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise RasenError(
            f"{path}: {vectors.dtype} {vectors.shape}; give numbers [codes, dimensions]"
        )
    check_size(len(vectors), path)
    return Codebook(as_vectors(vectors, path).numpy(), metadata)


def _read_arrays(path):
    """{name: array} and the metadata of a file; no code in it is run."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".npy":
            return {"codebook": np.load(path, allow_pickle=False)}, {}
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                metadata = file.metadata() or {}
                metadata = json.loads(metadata[ABOUT]) if ABOUT in metadata else metadata
        else:
            tensors, metadata = lazy_tensors.load_pytorch(path), {}
        arrays = {
            name: (tensor.float() if tensor.is_floating_point() else tensor).numpy()
            for name, tensor in tensors.items()
        }
        return arrays, metadata
    except (SafetensorError, EOFError, ValueError, AttributeError) as error:
        raise RasenError(f"{path}: not a codebook, or damaged ({error}); get it again") from None


def as_vectors(
    values: Any, name: Path | str, device: str = "cpu", empty: bool = False
) -> torch.Tensor:
    """values [n, d] as a float32 tensor; raises when they are not numbers of that shape."""
    x = torch.as_tensor(np.asarray(values, dtype=np.float32)).to(device)
    if x.ndim != 2 or (not empty and not len(x)):
        raise RasenError(f"{name}: {tuple(x.shape)}; give vectors [count, dimensions]")
    if not torch.isfinite(x).all():
        raise RasenError(f"{name}: holds numbers that are not finite; make it again")
    return x


def check_size(size: int, name: Path | str) -> None:
    """Refuse a number of codes that a sketch cannot hold."""
    if not 1 <= size <= LARGEST:
        raise RasenError(f"{name}: {size} codes; a sketch holds 1 to {LARGEST} (uint16)")
