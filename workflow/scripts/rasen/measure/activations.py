"""Dump activations: every asked-for layer of a model at a point, streamed to one HDF5 file.

    layers/06           [rows, dim]   one row a clip (pool "mean", "last"), or several: one a frame
                                      (pool "all"), or the mean of the frames in 1/15 s (pool 15)
    rows/clip, frame    [rows]        which clip (row of `clips/`) and frame of it, where several
    rows/time           [rows]        the middle of that frame, in seconds; not of text
    clips/...           [clips]       the sheet of the stimuli: pitch, instrument, ...

Layer 0 is what enters the first layer, layer i the output of layer i; what the last one means
(usually after the final norm) stands in the attribute `layers`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.families import Family
from rasen.io import hdf5
from rasen.io.inputs import Inputs
from rasen.measure.batches import batches


@dataclass(frozen=True)
class DumpSettings:
    """What is kept of every clip, of which layers, in which format.

    layers: "all" or indices, negative ones from the end
    pool:   over time; "all" keeps every frame, a number gives so many frames a second
    """

    layers: Literal["all"] | Sequence[int] = "all"
    pool: Literal["mean", "last", "all"] | int = "mean"
    dtype: Literal["float32", "float16"] = "float32"


@torch.inference_mode()
def dump(
    family: Family, network: torch.nn.Module, inputs: Inputs, path: Path, settings: DumpSettings,
    device: str, batch: int, **attributes: Any,
) -> None:  # fmt: skip
    """Run `network` over `inputs` and write what its layers give to `path`.

    Memory holds one batch, whatever the number of clips.
    """
    layers = chosen_layers(settings.layers, family.layers)
    pool = settings.pool
    names = {f"{layer:02d}": family.layers[layer] for layer in layers}
    frames = family.frames(torch.from_numpy(inputs.lengths)).numpy()
    rows, rate = rows_of_clips(pool, frames, family.frame_rate)
    with hdf5.create(path, **attributes | {"layers": names, "pool": pool}) as writer:
        written: dict[int, hdf5.Rows] = {}
        for part in batches(family, inputs, batch, device, "activations"):
            lengths = family.frames(part["lengths"])
            pooled = None
            for layer, hidden in family.hidden(network, part, layers):
                pooled = pooled or pooling(pool, lengths, hidden.shape[1], family.frame_rate)
                values = pooled(hidden.to(device))
                if layer not in written:
                    name = f"layers/{layer:02d}"
                    shape = values.shape[1:]
                    written[layer] = writer.dataset(name, int(rows.sum()), shape, settings.dtype)
                written[layer].append(_storable(values, settings.dtype, family, layer))
        if pool not in ("mean", "last"):
            _write_places(writer, rows, rate)
        writer.table("clips", inputs.clips)


def describe(path: Path) -> dict[str, Any]:
    """What a file of activations holds, in plain words and numbers: all but the activations."""
    with hdf5.open_file(path) as file:
        layers = {
            name: {"rows": len(data), "dim": data.shape[1], "crc32": int(data.attrs["crc32"])}
            for name, data in file["layers"].items()
        }
        attributes = {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in file.attrs.items()
            if key != "complete"
        }
    for name in ("recipe", "layers"):
        attributes[name] = json.loads(attributes[name])
    for name, output in attributes.pop("layers").items():
        layers[name]["output"] = output
    return attributes | {"layers": layers}


def chosen_layers(
    wanted: Literal["all"] | Sequence[int],
    layers: Sequence[str],
    setting: str = "activations.layers",
) -> list[int]:
    """Layer indices from 0 for "all" or a list (negative ones count from the end)."""
    if wanted == "all":
        return list(range(len(layers)))
    beyond = [layer for layer in wanted if not -len(layers) <= layer < len(layers)]
    if beyond:
        raise RasenError(f"{setting}: {beyond} do not exist; this model has 0 to {len(layers) - 1}")
    return sorted({layer % len(layers) for layer in wanted})


def rows_of_clips(
    pool: str | int, frames: np.ndarray, rate: float | None
) -> tuple[np.ndarray, float | None]:
    """Rows of each clip [clip] that are kept of so many frames [clip], and rows per second.

    rate: frames per second; None of what has no seconds
    """
    if pool == "all":
        return frames, rate
    if isinstance(pool, str):
        return np.ones_like(frames), None
    if rate is None or pool > rate:
        have = "no seconds" if rate is None else f"{rate:g} frames a second"
        raise RasenError(f"activations.pool: {pool} a second, but this model has {have}")
    return _bin(frames - 1, pool, rate) + 1, float(pool)


def _bin(frame, pool, rate):
    """Which of `pool` parts of a second the middle of a frame lies in, counted from the start."""
    return ((2 * frame + 1) * pool / (2 * rate)).astype(np.int64)


def pooling(
    pool: str | int, lengths: torch.Tensor, frames: int, rate: float | None
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function [clip, frame, dim] -> [clip, dim] (mean or last valid frame), or [rows, dim].

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
    if pool == "all":
        return lambda hidden: hidden[clip, frame]
    bins = _bin(np.arange(frames), pool, rate)
    sizes = [np.bincount(bins[:length]) for length in lengths.tolist()]
    sizes = torch.from_numpy(np.concatenate(sizes)).to(lengths.device)
    return lambda hidden: torch.segment_reduce(hidden[clip, frame].float(), "mean", lengths=sizes)


def _write_places(writer, rows, rate):
    """Which clip and which of its frames each row is, of clips that have so many [clip]."""
    frame = np.concatenate([np.arange(count) for count in rows])
    writer.array("rows/clip", np.repeat(np.arange(len(rows)), rows).astype(np.int32))
    writer.array("rows/frame", frame.astype(np.int32))
    if rate is not None:
        writer.array("rows/time", ((frame + 0.5) / rate).astype(np.float32))


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
