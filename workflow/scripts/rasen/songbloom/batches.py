"""Windows of songs as batches of tensors, with everything random in them.

What a window's latents, noise, times and masks are follows from the seed and the window's place in
the order of training alone: not from the batch that it stands in, nor from the process.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.networks.songbloom_config import SongBloomConfig
from rasen.seeds import generator
from rasen.songbloom.settings import TrainSettings

NO_LYRICS = np.zeros(1, np.int64)  # the one id 0


def window_sample(
    window: Mapping[str, Any], config: SongBloomConfig, settings: TrainSettings, use: str = "train"
) -> dict[str, np.ndarray]:
    """One window with its draws; `use` is part of their names. No conditions are dropped and
    nothing is hidden unless it is "train"."""
    frames, patch = len(window["sketch"]), config.patch
    if frames % patch:
        raise RasenError(
            f"{window['song']}: a window of {frames} frames is no multiple of patches of {patch}"
        )
    patches = frames // patch
    place = int(window["place"])

    def rng(name):
        return generator(settings.seed, "songbloom", use, name, place)

    def normal(name, shape):
        return rng(name).standard_normal(shape, dtype=np.float32)

    prompt = window["prompt"] + window["prompt_scale"] * normal("prompt", window["prompt"].shape)
    prompt_frames = min(int(window["prompt_frames"]), config.prompt_rows)
    ids = np.asarray(window["ids"], np.int64)[: config.lyrics_rows]
    ids = ids if len(ids) else NO_LYRICS
    # ASSUME: t logit-normal with mean 0 and width 1, as in the public code
    time = 1 / (1 + np.exp(-rng("time").standard_normal(patches)))
    sample = {
        "sketch": np.asarray(window["sketch"], np.int64),
        "latents": window["mean"] + window["scale"] * normal("latents", window["mean"].shape),
        "noise": normal("noise", window["mean"].shape),
        "time": time.astype(np.float32),
        "ids": ids,
        "prompt": prompt[: config.prompt_rows],
        "keep_hidden": np.ones(patches, bool),
        "keep_sketch": np.ones(patches, bool),
        "flow": np.arange(patches),
        "prompt_frames": np.array(prompt_frames),
        "last": np.array(bool(window["last"])),
    }
    if use == "train":
        _drop(sample, settings, rng)
    return sample


def _drop(sample, settings, rng):
    """Hide conditions and parts of them, and choose the patches, as the training does."""
    everything, prompt = rng("conditions").random(2)
    if everything < settings.drop_all:
        sample["ids"] = NO_LYRICS
    if everything < settings.drop_all or prompt < settings.drop_prompt:
        sample["prompt_frames"] = np.array(0)
    first, second = rng("masks").random((2, len(sample["time"]))) >= settings.hide
    sample["keep_hidden"] = first
    sample["keep_sketch"] = first & second if settings.mask == "paper" else second
    if 0 < settings.flow_patches < len(sample["flow"]):
        chosen = rng("flow").permutation(len(sample["flow"]))[: settings.flow_patches]
        sample["flow"] = np.sort(chosen)


def as_batch(
    samples: Sequence[Mapping[str, np.ndarray]], config: SongBloomConfig, device: str = "cpu"
) -> dict[str, torch.Tensor]:
    """Samples as one batch of the network, zeros after what each has."""
    names = ("sketch", "latents", "noise", "time", "ids", "prompt", "keep_hidden", "keep_sketch")
    batch = {name: _padded([sample[name] for sample in samples]) for name in names}
    batch["frames"] = torch.tensor([len(sample["sketch"]) for sample in samples])
    batch["length"] = torch.tensor([len(sample["ids"]) for sample in samples])
    batch["prompt_frames"] = torch.tensor([int(sample["prompt_frames"]) for sample in samples])
    batch["last"] = torch.tensor([bool(sample["last"]) for sample in samples])
    most = batch["sketch"].shape[1] // config.patch
    flow = [row * most + torch.from_numpy(s["flow"]) for row, s in enumerate(samples)]
    batch["flow"] = torch.cat(flow)
    return {name: tensor.to(device) for name, tensor in batch.items()}


def term_counts(samples: Iterable[Mapping[str, np.ndarray]]) -> tuple[int, int]:
    """(tokens, patches) that the losses of samples are sums over."""
    tokens = patches = 0
    for sample in samples:
        tokens += len(sample["sketch"]) + int(sample["last"])
        patches += len(sample["flow"])
    return tokens, patches


def _padded(arrays):
    longest = max(len(array) for array in arrays)
    padded = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)
