"""MusicGen as transformers stores it: an EnCodec whose tokens a decoder predicts.

What is interpolated is the decoder alone; it runs unconditionally (no text), which equals zero
conditioning. Codec and text encoder stay as trained.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.models.encodec.modeling_encodec import EncodecConfig, EncodecModel
from transformers.models.musicgen.modeling_musicgen import (
    MusicgenDecoderConfig,
    MusicgenForCausalLM,
)

from rasen.errors import RasenError
from rasen.families import AudioFamily, Batch, LossFamily
from rasen.families.huggingface import build_network, read_config, recorded_init_rules
from rasen.weights import lazy_tensors
from rasen.weights.init_rules import InitRule, constant, truncated, uniform
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import load_into, require_fit

PREFIX = "decoder."  # of the decoder's tensors in a composite checkpoint


class MusicGen(LossFamily, AudioFamily):
    """A folder of MusicgenForConditionalGeneration, or of its decoder beside such a folder."""

    def __init__(self, folder: Path | str, options: Mapping[str, Any]) -> None:
        super().__init__(folder, options)
        self.config = self.decoder_config()
        if self.config.audio_channels != 1:
            raise RasenError(f"{folder}: stereo MusicGen is not supported; use a mono checkpoint")
        self.books = self.config.num_codebooks
        self.special = self.config.vocab_size  # the token that stands where nothing is known
        depth = self.config.num_hidden_layers
        self.loss_groups = [f"codebook-{book}" for book in range(self.books)]
        self.layers = [
            "embeddings plus positions",
            *(f"output of layer {layer}" for layer in range(1, depth)),
            f"output of layer {depth} after the final layer norm",
        ]

    # --- architecture and weights

    def decoder_config(self) -> MusicgenDecoderConfig:
        """The decoder's part of the trained checkpoint's config.json."""
        config = read_config(self.folder)
        if config.get("model_type") == "musicgen":
            config = config["decoder"]
        if config.get("model_type") != "musicgen_decoder":
            kind = config.get("model_type")
            raise RasenError(f"{self.folder}: a '{kind}' checkpoint, not MusicGen; check `family`")
        return MusicgenDecoderConfig(**config)

    def build(self, device: str, dtype: str) -> torch.nn.Module:
        return build_network(MusicgenForCausalLM, self.config, device, dtype)

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        tensors = lazy_tensors.read_folder(folder)
        decoder = {
            name.removeprefix(PREFIX): tensor
            for name, tensor in tensors.items()
            if name.startswith(PREFIX)
        } or tensors
        # Sinusoids are computed; old checkpoints store them all the same.
        decoder = {n: tensor for n, tensor in decoder.items() if "embed_positions" not in n}
        require_fit(self.build("meta", "float32"), decoder, folder)
        return decoder

    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        if rule == "hf":
            return recorded_init_rules(MusicgenForCausalLM, self.config)
        tensors = self.build("meta", "float32").state_dict()
        return {name: [official_init_rule(name, tensor.shape)] for name, tensor in tensors.items()}

    def export(self, network: torch.nn.Module, folder: Path) -> None:
        from transformers import MusicgenForConditionalGeneration

        whole = MusicgenForConditionalGeneration.from_pretrained(self.folder, dtype=network.dtype)
        whole.decoder.load_state_dict(network.state_dict())
        whole.save_pretrained(folder)

    # --- stimuli

    @property
    def sample_rate(self) -> int:
        return self.codec_config()["sampling_rate"]

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / prod(EncodecConfig(**self.codec_config()).upsampling_ratios)

    def codec_config(self) -> dict[str, Any]:
        """The EnCodec part of config.json."""
        config = read_config(self.folder)
        if "audio_encoder" not in config:
            raise RasenError(
                f"{self.folder}: has no audio codec (a decoder alone?); give `weights` the whole "
                "MusicGen folder"
            )
        return config["audio_encoder"]

    def codec_tensors(self) -> dict[str, LazyTensor]:
        """The codec's tensors by name."""
        stem = "audio_encoder."
        whole = lazy_tensors.read_folder(self.folder)
        return {n.removeprefix(stem): t for n, t in whole.items() if n.startswith(stem)}

    @cache  # noqa: B019 (a family lives as long as its process)
    def codec(self, device: str) -> EncodecModel:
        """The trained EnCodec model."""
        codec = build_network(EncodecModel, EncodecConfig(**self.codec_config()), device, "float32")
        tensors = {renamed_weight_norm(n): t for n, t in self.codec_tensors().items()}
        require_fit(codec, tensors, f"{self.folder} (codec)")
        load_into(codec, tensors)
        return codec

    @torch.inference_mode()
    def encode(self, stimulus: np.ndarray | str, device: str) -> dict[str, np.ndarray]:
        codec = self.codec(device)
        hop = prod(codec.config.upsampling_ratios)
        if len(stimulus) < hop:
            raise RasenError(
                f"{len(stimulus)} samples at {self.sample_rate} Hz are less than one frame "
                f"({hop} samples); use longer clips"
            )
        audio = torch.from_numpy(stimulus).to(device)[None, None]
        codes = codec.encode(audio, bandwidth=codec.config.target_bandwidths[-1]).audio_codes
        codes = codes[0, 0, : self.books].T  # [time, book]
        if len(codes) < self.books:
            raise RasenError(
                f"gives {len(codes)} frames, fewer than the {self.books} that the delay pattern "
                "takes; use longer clips"
            )
        return {"codes": codes.cpu().numpy().astype(np.int16)}

    # --- running

    @property
    def prefix(self) -> int:  # the column of special tokens
        return 1

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths

    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        codes = batch["codes"].long()
        if self.options.get("delay", True):
            # ASSUME: frame t is the position that has seen codebook 0 up to t (and codebook k up
            # to t - k); the leading position, which has seen nothing, is left out.
            sequence = delayed(codes, batch["lengths"], self.special)[:, : codes.shape[1] + 1]
            first = self.prefix
        else:  # as SynTheory feeds it: all codebooks of a frame at once, nothing in front
            sequence, first = codes, 0
        output = network.model.decoder(
            input_ids=sequence.transpose(1, 2), output_hidden_states=True, use_cache=False
        )
        for layer in layers:
            yield layer, output.hidden_states[layer][:, first:]

    def layer_modules(self, network: torch.nn.Module) -> list[torch.nn.Module]:
        decoder = network.model.decoder
        return [*decoder.layers[:-1], decoder.layer_norm]

    def losses(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        codes = batch["codes"].long()
        sequence = delayed(codes, batch["lengths"], self.special)[:, : codes.shape[1] + 1]
        logits = network(input_ids=sequence[:, :-1].transpose(1, 2), use_cache=False).logits
        clips, steps = len(codes), codes.shape[1]
        logits = logits.view(clips, self.books, steps, -1)
        wanted = self.wanted(batch)
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 2).float(), wanted.flatten(), ignore_index=-1, reduction="none"
        )
        loss = loss.view(clips, self.books, steps).sum(-1)
        return loss, (wanted != -1).sum(-1)

    @property
    def cardinality(self) -> int:
        return self.config.vocab_size

    def wanted(self, batch: Batch) -> torch.Tensor:
        codes = batch["codes"].long()
        steps = codes.shape[1]
        sequence = delayed(codes, batch["lengths"], self.special)[:, 1 : steps + 1]
        # What a short clip's delayed books still say after its last step is no target.
        over = torch.arange(steps, device=codes.device) >= batch["lengths"][:, None]
        none = (sequence == self.special) | over[:, :, None]
        return sequence.masked_fill(none, -1).transpose(1, 2)  # [clip, book, time]

    def targets(self, lengths: torch.Tensor) -> torch.Tensor:
        # Codebook k starts k steps late, so k of its frames fall behind the last step.
        return (lengths[:, None] - torch.arange(self.books, device=lengths.device)).clamp(min=0)


def delayed(codes: torch.Tensor, lengths: torch.Tensor, special: int) -> torch.Tensor:
    """The delay pattern: codebook k is shifted k steps to the right behind a special column.

    codes [clip, time, book], zero-padded beyond `lengths` -> [clip, time + books, book]. With the
    steps 0..time kept this is the sequence that audiocraft trains on.
    """
    clips, time, books = codes.shape
    valid = torch.arange(time, device=codes.device)[None, :, None] < lengths[:, None, None]
    codes = torch.where(valid, codes, special)
    sequence = codes.new_full((clips, time + books, books), special)
    for book in range(books):
        sequence[:, 1 + book : 1 + book + time, book] = codes[:, :, book]
    return sequence


def official_init_rule(name: str, shape: Sequence[int]) -> InitRule:
    """audiocraft's musicgen_lm.yaml: weight_init gaussian, depthwise_init current, zero_bias_init.

    Truncated Gaussians of width fan_in^-1/2, in layer l (from 0) also divided by sqrt(2 (l + 1));
    attention's input projections are bare parameters, which that rule does not touch.
    """
    fan_in = shape[-1]
    if re.search(r"layer_norm\.weight$", name):
        return constant(1.0)
    if name.endswith(".bias"):
        return constant(0.0)
    if re.search(r"\.(q|k|v)_proj\.weight$", name):
        return uniform(fan_in**-0.5)
    if layer := re.search(r"\.layers\.(\d+)\.", name):
        return truncated((fan_in * 2 * (int(layer[1]) + 1)) ** -0.5)
    return truncated(fan_in**-0.5)  # embeddings and output heads


def renamed_weight_norm(name: str) -> str:
    """Old checkpoints say weight_g and weight_v where today's PyTorch says original0 and 1."""
    name = re.sub(r"\.weight_g$", ".parametrizations.weight.original0", name)
    return re.sub(r"\.weight_v$", ".parametrizations.weight.original1", name)


FAMILY = MusicGen
