"""Dump activations: every asked-for layer of a model at a point, streamed to one HDF5 file.

    layers/06           [rows, dim]   one row a clip (pooled), or one a frame (pool "all")
    rows/clip, frame    [rows]        which clip (row of `clips/`) and frame, when pool is "all"
    clips/...           [clips]       the sheet of the stimuli: pitch, instrument, ...

Layer 0 is what enters the first layer, layer i the output of layer i; what the last one means
(usually after the final norm) stands in the attribute `layers`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from rasen.errors import RasenError
from rasen.families import Family
from rasen.io import hdf5
from rasen.io.inputs import Inputs


@dataclass(frozen=True)
class DumpSettings:
    """What is kept of every clip, of which layers, in which format.

    layers: "all" or indices, negative ones from the end;  pool: "all" keeps every frame
    """

    layers: Literal["all"] | Sequence[int] = "all"
    pool: Literal["mean", "last", "all"] = "mean"
    dtype: Literal["float32", "float16"] = "float32"


@torch.inference_mode()
def dump(
    family: Family, network: torch.nn.Module, inputs: Inputs, path: Path, settings: DumpSettings,
    device: str, batch: int, **attributes: Any,
) -> None:  # fmt: skip
    """Run `network` over `inputs` and write what its layers give to `path`.

    Memory holds one batch, whatever the number of clips.
    """
    layers = _chosen(settings.layers, family.layers)
    pool = settings.pool
    names = {f"{layer:02d}": family.layers[layer] for layer in layers}
    with hdf5.create(path, **attributes | {"layers": names, "pool": pool}) as writer:
        rows = len(inputs)
        if pool == "all":
            rows = int(family.frames(torch.from_numpy(inputs.lengths)).sum())
            places = _FramePlaces(writer, rows)
        written: dict[int, hdf5.Rows] = {}
        batches = inputs.batches(batch, device)
        for part in tqdm(batches, "activations", -(-len(inputs) // batch), disable=None):
            lengths = family.frames(part["lengths"])
            pooled = None
            for layer, hidden in family.hidden(network, part, layers):
                pooled = pooled or _pooling(pool, lengths, hidden.shape[1])
                values = pooled(hidden.to(device))
                if layer not in written:
                    name = f"layers/{layer:02d}"
                    written[layer] = writer.dataset(name, rows, values.shape[1:], settings.dtype)
                written[layer].append(_storable(values, settings.dtype, family, layer))
            if pool == "all":
                places.append(lengths.cpu().numpy())
        writer.table("clips", inputs.clips)


def describe(path: Path) -> dict[str, Any]:
    """What a file of activations holds, in plain words and numbers: all but the activations."""
    with hdf5.open_file(path) as file:
        layers = {
            name: {"rows": len(data), "dim": data.shape[1], "crc32": int(data.attrs["crc32"])}
            for name, data in file["layers"].items()
        }
        attributes = {key: value for key, value in file.attrs.items() if key != "complete"}
    for name in ("recipe", "layers"):
        attributes[name] = json.loads(attributes[name])
    for name, output in attributes.pop("layers").items():
        layers[name]["output"] = output
    return attributes | {"layers": layers}


def _chosen(wanted: Literal["all"] | Sequence[int], layers: Sequence[str]) -> list[int]:
    """Layer indices from 0 for "all" or a list (negative ones count from the end)."""
    if wanted == "all":
        return list(range(len(layers)))
    beyond = [layer for layer in wanted if not -len(layers) <= layer < len(layers)]
    if beyond:
        raise RasenError(
            f"activations.layers: {beyond} do not exist; this model has 0 to {len(layers) - 1}"
        )
    return sorted({layer % len(layers) for layer in wanted})


def _pooling(pool, lengths, frames):
    """The function [clip, frame, dim] -> [clip, dim] (mean or last valid frame), or [valid, dim].

    What the processor has to know of a batch it asks here, once: each question waits for the GPU,
    and a model has many layers.
    """
    if pool == "last":
        clips = torch.arange(len(lengths), device=lengths.device)
        return lambda hidden: hidden[clips, lengths - 1]
    if pool == "mean" and bool((lengths == frames).all()):
        return lambda hidden: hidden.float().mean(dim=1)
    valid = torch.arange(frames, device=lengths.device)[None] < lengths[:, None]
    if pool == "mean":
        return lambda hidden: (hidden.float() * valid[..., None]).sum(dim=1) / lengths[:, None]
    clip, frame = valid.nonzero(as_tuple=True)
    return lambda hidden: hidden[clip, frame]


class _FramePlaces:
    """Which clip and which of its frames each row is, when every frame is kept."""

    def __init__(self, writer: hdf5.Writer, rows: int) -> None:
        self.clip = writer.dataset("rows/clip", rows, (), "int32")
        self.frame = writer.dataset("rows/frame", rows, (), "int32")
        self.clips = 0

    def append(self, lengths: np.ndarray) -> None:
        """Add the rows of the next clips, which have so many frames [clip]."""
        clips = np.arange(self.clips, self.clips + len(lengths))
        self.clip.append(np.repeat(clips, lengths))
        self.frame.append(np.concatenate([np.arange(length) for length in lengths]))
        self.clips += len(lengths)


def _storable(values, dtype, family, layer):
    """Values as a numpy array of the file's dtype; refuses numbers it cannot hold."""
    array = values.to("cpu", getattr(torch, dtype))
    if not torch.isfinite(array).all():
        if torch.isfinite(values).all():
            raise RasenError(
                f"layer {layer} ({family.layers[layer]}) exceeds float16 (largest value "
                f"{values.abs().max():.0f}); set activations.dtype: float32"
            )
        raise RasenError(
            f"layer {layer} ({family.layers[layer]}) gives NaN or infinite values; "
            "with dtype float16 or bfloat16 try dtype: float32 for this model"
        )
    return array.numpy()
