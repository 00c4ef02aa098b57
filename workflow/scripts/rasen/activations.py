"""Dump activations: every asked-for layer of a model at a point, streamed to one HDF5 file.

    layers/06           [rows, dim]   one row a clip (pooled), or one a frame (pool "all")
    rows/clip, frame    [rows]        which clip (row of `clips/`) and frame, when pool is "all"
    clips/...           [clips]       the sheet of the stimuli: pitch, instrument, ...

Layer 0 is what enters the first layer, layer i the output of layer i; what the last one means
(usually after the final norm) stands in the attribute `layers`.
"""

import json

import numpy as np
import torch
from tqdm import tqdm

from rasen import store
from rasen.errors import RasenError


@torch.inference_mode()
def dump(family, network, inputs, path, settings, device, batch, **attributes):
    """Run `network` over `inputs` (rasen.inputs.Inputs) and write what its layers give to `path`.

    settings: {"layers": "all" or list of indices, "pool": "mean" | "last" | "all",
               "dtype": "float32" | "float16",
               "lead": false to leave out the frames in front of every clip (BOS); true if not said}
    Memory holds one batch, whatever the number of clips.
    """
    layers = _chosen(settings["layers"], family.layers)
    pool = settings["pool"]
    lead = 0 if settings.get("lead", True) else family.lead
    meaning = {f"{layer:02d}": family.layers[layer] for layer in layers}
    attributes = attributes | {"layers": meaning, "pool": pool}
    with store.create(path, **attributes) as writer:
        written = None
        for part in tqdm(
            inputs.batches(batch, device), "activations", -(-len(inputs) // batch), disable=None
        ):
            hidden, lengths = family.hidden(network, part)
            lengths = lengths - lead
            pooled = [_pool(hidden[layer][:, lead:], lengths, pool) for layer in layers]
            if written is None:
                rows = len(inputs) if pool != "all" else int((inputs.frames - lead).sum())
                written = _datasets(writer, layers, pooled, rows, pool, settings["dtype"])
            for layer, values in zip(layers, pooled, strict=True):
                written[layer].append(_storable(values, settings["dtype"], family, layer))
            if pool == "all":
                _append_places(writer, lengths.cpu().numpy(), lead)
        writer.table("clips", inputs.clips)


def describe(path):
    """What a file of activations holds, in plain words and numbers: all but the activations."""
    with store.open_file(path) as file:
        layers = {
            name: {"rows": len(data), "dim": data.shape[1], "crc32": int(data.attrs["crc32"])}
            for name, data in file["layers"].items()
        }
        attributes = {key: value for key, value in file.attrs.items() if key != "complete"}
    for name in ("recipe", "layers"):
        attributes[name] = json.loads(attributes[name])
    for name, meaning in attributes.pop("layers").items():
        layers[name]["output"] = meaning
    return attributes | {"layers": layers}


def _chosen(wanted, layers):
    """Layer indices from 0 for "all" or a list (negative ones count from the end)."""
    if wanted == "all":
        return list(range(len(layers)))
    beyond = [layer for layer in wanted if not -len(layers) <= layer < len(layers)]
    if beyond:
        raise RasenError(
            f"activations.layers: {beyond} do not exist; this model has 0 to {len(layers) - 1}"
        )
    return sorted({layer % len(layers) for layer in wanted})


def _pool(hidden, lengths, pool):
    """[clip, frame, dim] -> [clip, dim] (mean or last valid frame), or [valid frames, dim]."""
    if pool == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
    if pool == "mean" and bool((lengths == hidden.shape[1]).all()):
        return hidden.float().mean(dim=1)
    valid = torch.arange(hidden.shape[1], device=hidden.device)[None] < lengths[:, None]
    if pool == "mean":
        return (hidden.float() * valid[..., None]).sum(dim=1) / lengths[:, None]
    return hidden[valid]


def _datasets(writer, layers, pooled, rows, pool, dtype):
    """One growing dataset a layer, and the places of rows when every frame is kept."""
    if pool == "all":
        writer.dataset("rows/clip", rows, (), "int32")
        writer.dataset("rows/frame", rows, (), "int32")
    return {
        layer: writer.dataset(f"layers/{layer:02d}", rows, values.shape[1:], dtype)
        for layer, values in zip(layers, pooled, strict=True)
    }


def _append_places(writer, lengths, lead):
    clips = writer.rows["rows/clip"]
    first = clips.clips_seen = getattr(clips, "clips_seen", 0)
    clips.append(np.repeat(np.arange(first, first + len(lengths)), lengths))
    writer.rows["rows/frame"].append(np.concatenate([lead + np.arange(n) for n in lengths]))
    clips.clips_seen += len(lengths)


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
