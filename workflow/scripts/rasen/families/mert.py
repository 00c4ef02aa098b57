"""MERT [Li et al. 2024]: a HuBERT that listens to music, in transformers' layout.

Its own remote code adds two things that the published checkpoints do not use (a constant-Q
transform, DeepNorm): without them its tensors are those of transformers' HubertModel. It publishes
no head and no labels, so there is no loss.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import HubertConfig, HubertModel

from rasen.errors import RasenError
from rasen.families import AudioFamily, Batch
from rasen.families.huggingface import read_config
from rasen.io.atomic import write_text
from rasen.weights import lazy_tensors
from rasen.weights.default_init import default_init_rules
from rasen.weights.init_rules import InitRule, constant, normal
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import require_fit

UNUSED = ("feature_extractor_cqt", "deepnorm")  # settings that change the network
POSITIONS = "encoder.pos_conv_embed.conv."
NORMED = {  # of the convolution of the positions, as old and as new PyTorch name them
    "magnitude": ("weight_g", "parametrizations.weight.original0"),
    "direction": ("weight_v", "parametrizations.weight.original1"),
}
MASK = "masked_spec_embed"  # stands for masked frames in the training alone


class MERT(AudioFamily):
    """A folder with config.json, preprocessor_config.json and the weights."""

    padded = False  # the group norm of the first convolution spans the whole clip

    def __init__(self, folder: Path | str, options: Mapping[str, Any]) -> None:
        super().__init__(folder, options)
        config = read_config(self.folder)
        if used := [key for key in UNUSED if config.get(key)]:
            raise RasenError(
                f"{folder}: a MERT with {' and '.join(used)}, which is not supported; use "
                "MERT-v1-95M or MERT-v1-330M"
            )
        if "conv_kernel" not in config:
            raise RasenError(f"{folder}: not a MERT (no conv_kernel); check `family`")
        self.config = HubertConfig(**{k: v for k, v in config.items() if k != "model_type"})
        self.config._attn_implementation = "sdpa"
        self.preprocessor = self.read_preprocessor()
        depth = self.config.num_hidden_layers
        last = " after the final layer norm" if self.config.do_stable_layer_norm else ""
        self.layers = [
            "what enters the first layer",
            *(f"output of layer {layer}" for layer in range(1, depth)),
            f"output of layer {depth}{last}",
        ]

    def read_preprocessor(self) -> dict[str, Any]:
        """preprocessor_config.json: the sample rate, and whether a clip is normalised."""
        path = self.folder / "preprocessor_config.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise RasenError(
                f"{path}: missing or not JSON; it says how MERT hears a clip: fetch it again"
            ) from None

    # --- architecture and weights

    def build(self, device: str, dtype: str) -> torch.nn.Module:
        with torch.device("meta"):
            network = HubertModel(self.config)
            conv = network.encoder.pos_conv_embed.conv
            if torch.nn.utils.parametrize.is_parametrized(conv):
                # Weight norm only changes how a training step acts: what is walked is its product.
                torch.nn.utils.parametrize.remove_parametrizations(conv, "weight")
            if hasattr(network, MASK):
                delattr(network, MASK)
            network.to(getattr(torch, dtype))
        if device != "meta":
            network.to_empty(device=device)
        return network.eval().requires_grad_(False)

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        stored = {n.removeprefix("hubert."): t for n, t in lazy_tensors.read_folder(folder).items()}
        parts = {}
        for part, names in NORMED.items():
            for name in names:
                if tensor := stored.pop(POSITIONS + name, None):
                    parts[part] = tensor
        if len(parts) == len(NORMED):
            stored[f"{POSITIONS}weight"] = fused(parts["magnitude"], parts["direction"])
        stored.pop(MASK, None)
        require_fit(self.build("meta", "float32"), stored, folder)
        return stored

    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        network = self.build("meta", "float32")
        rules = default_init_rules(network)
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        for name in rules:
            if law := official_init_rule(name, shapes[name]):
                rules[name] = [law]
        return rules

    def export(self, network: torch.nn.Module, folder: Path) -> None:
        kept = {n: t for n, t in lazy_tensors.read_folder(self.folder).items() if n.endswith(MASK)}
        tensors = {name: tensor.read() for name, tensor in kept.items()} | network.state_dict()
        if f"{POSITIONS}weight" in tensors and not self.config.conv_pos_batch_norm:
            weight = tensors.pop(f"{POSITIONS}weight")
            magnitude = weight.float().norm(dim=(0, 1), keepdim=True).to(weight.dtype)
            tensors[f"{POSITIONS}{NORMED['magnitude'][0]}"] = magnitude
            tensors[f"{POSITIONS}{NORMED['direction'][0]}"] = weight
        folder.mkdir(parents=True)
        save_file({n: t.contiguous() for n, t in tensors.items()}, folder / "model.safetensors",
                  {"format": "pt"})  # fmt: skip
        write_text(folder / "config.json", json.dumps(read_config(self.folder), indent=2))
        write_text(folder / "preprocessor_config.json", json.dumps(self.preprocessor, indent=2))

    # --- stimuli

    @property
    def sample_rate(self) -> int:
        return self.preprocessor["sampling_rate"]

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / prod(self.config.conv_stride)

    def encode(self, stimulus: np.ndarray | str, device: str) -> dict[str, np.ndarray]:
        if int(self.frames(torch.tensor([len(stimulus)]))) < 1:
            raise RasenError(
                f"{len(stimulus)} samples at {self.sample_rate} Hz are less than one frame; use "
                "longer clips"
            )
        samples = np.asarray(stimulus, np.float32)
        if self.preprocessor.get("do_normalize", True):  # as Wav2Vec2FeatureExtractor
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        return {"samples": samples.astype(np.float32)}

    # --- running

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        for kernel, stride in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            lengths = ((lengths - kernel) // stride + 1).clamp(min=0)
        return lengths

    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        samples = batch["samples"].to(next(network.parameters()).dtype)
        features = network.feature_extractor(samples).transpose(1, 2)
        hidden = network.feature_projection(features)
        encoder, stable = network.encoder, self.config.do_stable_layer_norm
        hidden = hidden + encoder.pos_conv_embed(hidden)
        if not stable:
            hidden = encoder.layer_norm(hidden)
        if 0 in layers:
            yield 0, hidden
        for number, layer in enumerate(encoder.layers[: max(layers)], start=1):
            hidden = layer(hidden)
            if number in layers:
                last = stable and number == len(encoder.layers)
                yield number, encoder.layer_norm(hidden) if last else hidden


def fused(magnitude: LazyTensor, direction: LazyTensor) -> LazyTensor:
    """The weight whose norm over all but its last axis [1, 1, kernel] is stored apart."""
    return LazyTensor(
        direction.shape,
        lambda: torch._weight_norm(direction.read().float(), magnitude.read().float(), 2),
    )


def official_init_rule(name: str, shape: Sequence[int]) -> InitRule | None:
    """fairseq's HuBERT, on which MERT was trained; None where it keeps PyTorch's own rule."""
    if name.endswith("norm.weight") or name.endswith("norm.bias"):
        return None
    if re.match(r"feature_extractor\..*conv\.weight$", name):  # kaiming_normal
        return normal((2 / prod(shape[1:])) ** 0.5)
    if name == f"{POSITIONS}weight":  # of the kernel's places and all channels; no dropout there
        return normal((4 / (shape[2] * shape[0])) ** 0.5)
    if name == f"{POSITIONS}bias":
        return constant(0.0)
    if name.startswith("encoder.layers."):  # init_bert_params
        return normal(0.02) if name.endswith("weight") else constant(0.0)
    return None


FAMILY = MERT
