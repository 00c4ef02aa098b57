"""The memory that a training step will need, told before the first one.

A step is pretended: the network, a batch of the longest windows and both passes are torch's fake
tensors, which have sizes and no storage, and the bytes of those alive are counted. What the
optimiser and several processes add follows from the sizes of the weights.
"""

import weakref
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import masking_utils

from rasen.networks.frames import FRAME_RATE
from rasen.networks.songbloom import SongBloom
from rasen.networks.songbloom_config import SongBloomConfig
from rasen.songbloom.batches import as_batch, window_sample
from rasen.songbloom.settings import TrainSettings


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one process when a step needs most.

    weights:     with buffers; like all but the activations whole, or the share of a process
    average:     the running average (ema)
    gradients:   as the optimiser reads them
    optimiser:   AdamW's moments
    activations: what comes on top, also what several processes gather
    """

    weights: int
    average: int
    gradients: int
    optimiser: int
    activations: int

    @property
    def total(self) -> int:
        """Of all parts."""
        return sum(vars(self).values())

    def __str__(self) -> str:
        size, unit = (1e9, "GB") if self.total >= 1e9 else (1e6, "MB")
        parts = [f"{name} {value / size:.3g}" for name, value in vars(self).items() if value]
        return f"{self.total / size:.3g} {unit} ({', '.join(parts)})"


def step_memory(
    config: SongBloomConfig,
    settings: TrainSettings,
    processes: int = 1,
    device: str = "cuda",
    frames: int = 0,
) -> StepMemory:
    """The greatest memory of a step in each of so many processes.

    frames: of the longest window (0: as many as the settings' `seconds` allow)
    """
    frames = frames or int(settings.seconds * FRAME_RATE) // config.patch * config.patch
    engine = settings.engine_of(processes)
    shares = processes if engine == "fsdp" else 1
    adds_up = settings.batch // processes > settings.at_once
    network, passes = _pretended(config, settings, frames, adds_up, shares)
    whole = _size([*network.parameters(), *network.buffers()])
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    gradients = _size(trained) // shares
    # the update's own: roots of second moments, on a GPU of all weights at once
    largest = max(_size([parameter]) for parameter in trained)
    update = gradients if device.startswith("cuda") else 3 * largest // shares
    if engine == "fsdp":
        layers = [_size(layer.parameters()) for layer in _layers(network)]
        # whole are all but the layers; of these the one at work, the next, the buffer of a third
        passes += whole - sum(layers) + 3 * max(layers)
    most = max(passes, gradients + update)
    if engine == "ddp":
        most += gradients  # the buckets in which they are averaged
    return StepMemory(
        weights=whole // shares,
        average=whole // shares if settings.ema else 0,
        gradients=gradients,
        optimiser=2 * gradients,
        activations=most - gradients,
    )


def require_room(needed: StepMemory, device: str) -> None:
    """Refuse a step that needs more memory than the GPU has, as torch would when it is full."""
    if not device.startswith("cuda"):
        return
    total = torch.cuda.get_device_properties(device).total_memory
    if needed.total > total:
        raise torch.OutOfMemoryError(
            f"a step needs about {needed}, the GPU has {total / 1e9:.3g} GB"
        )


def longest_window(config: SongBloomConfig, frames: int) -> dict[str, Any]:
    """A window of zeros of so many frames with full conditions."""
    sound = np.zeros((frames, config.latent), np.float32)
    prompt = np.zeros((config.prompt_rows, config.latent), np.float32)
    return {
        "place": 0,
        "sketch": np.zeros(frames, np.int64),
        "mean": sound,
        "scale": sound,
        "ids": np.ones(config.lyrics_rows, np.int64),
        "prompt": prompt,
        "prompt_scale": prompt,
        "prompt_frames": len(prompt),
        "last": True,
    }


class _Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key, size):
        self.known.discard(key)
        self.now -= size


def _pretended(config, settings, frames, adds_up, shares):
    """(the fake network, the greatest bytes beside it in both passes, as the trainer makes them).

    adds_up: gradients of an earlier part of the step are there, whole on every process
    shares:  otherwise, of the layers' gradients each process keeps one of so many shares
    """
    full = replace(settings, drop_all=0.0, drop_prompt=0.0)
    sample = window_sample(longest_window(config, frames), config, full)
    batch = as_batch([sample] * settings.at_once, config)
    kept: list[torch.Tensor] = []
    # transformers looks in the positions for several sequences in a row: fake ones tell nothing
    one_sequence = patch.object(masking_utils, "find_packed_sequence_indices", return_value=None)
    mixed = torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16")
    with FakeTensorMode() as fake, _Live() as live, one_sequence, mixed:
        network = SongBloom(config)
        whole = live.now
        if settings.checkpointing:
            network.checkpoint_activations()
        if adds_up:
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.grad = torch.empty_like(parameter)
        elif shares > 1:
            for layer in _layers(network):
                for parameter in layer.parameters():
                    parameter.register_post_accumulate_grad_hook(_keep_share(kept, shares))
        out = network({name: fake.from_tensor(tensor) for name, tensor in batch.items()})
        (out.lm_sum + settings.flow_weight * out.flow_sum).backward()
        return network, live.peak - whole


def _keep_share(kept, shares):
    """What FSDP does with a gradient: this process keeps its share."""

    def keep(parameter):
        kept.append(torch.empty(parameter.numel() // shares))
        parameter.grad = None

    return keep


def _layers(network):
    return [*network.ar_transformer.layers, *network.nar_dit.layers]


def _size(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
