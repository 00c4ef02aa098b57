"""MusicGen as audiocraft stores it: `state_dict.bin`, the same decoder under other names."""

import re
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers.models.musicgen.modeling_musicgen import MusicgenDecoderConfig

from rasen.errors import RasenError, raise_all
from rasen.families.audiocraft_checkpoint import read_exported
from rasen.families.huggingface import read_config
from rasen.families.musicgen import MusicGen
from rasen.weights import lazy_tensors
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import require_fit

RENAMED = [  # audiocraft -> transformers
    (r"^emb\.", "model.decoder.embed_tokens."),
    (r"^linears\.", "lm_heads."),
    (r"^out_norm\.", "model.decoder.layer_norm."),
    (r"^transformer\.", "model.decoder."),
    (r"\.mha\.", "."),
    (r"\.cross_attention\.", ".encoder_attn."),
    (r"\.norm1\.", ".self_attn_layer_norm."),
    (r"\.norm_cross\.", ".encoder_attn_layer_norm."),
    (r"\.norm2\.", ".final_layer_norm."),
    (r"\.linear1\.", ".fc1."),
    (r"\.linear2\.", ".fc2."),
]
EXPECTED = {  # what makes it MusicGen's decoder and not one of its relatives
    "lm_model": "transformer_lm",
    "transformer_lm.norm_first": True,
    "transformer_lm.bias_ff": False,
    "transformer_lm.bias_attn": False,
    "transformer_lm.bias_proj": False,
    "transformer_lm.positional_embedding": "sin",
    "transformer_lm.qk_layer_norm": False,
    "transformer_lm.layer_scale": None,
    "fuser.prepend": [],
    "fuser.sum": [],
}


class Audiocraft(MusicGen):
    """A folder with audiocraft's exported `state_dict.bin`; option `codec` names an EnCodec."""

    def decoder_config(self) -> MusicgenDecoderConfig:
        settings = self.experiment()
        lm = settings["transformer_lm"]
        return MusicgenDecoderConfig(
            vocab_size=lm["card"],
            pad_token_id=lm["card"],
            bos_token_id=lm["card"],
            num_codebooks=lm["n_q"],
            hidden_size=lm["dim"],
            ffn_dim=int(lm.get("hidden_scale", 4) * lm["dim"]),
            num_hidden_layers=lm["num_layers"],
            num_attention_heads=lm["num_heads"],
            activation_function=lm.get("activation", "gelu"),
            dropout=0.0,
        )

    def experiment(self) -> dict[str, Any]:
        """xp.cfg, the settings of the training run, which every exported file carries."""
        path = self.folder / "state_dict.bin"
        settings = yaml.safe_load(read_exported(self.folder)[1])
        books = settings["transformer_lm"]["n_q"]
        pattern = settings.get("codebooks_pattern") or {}
        delays = (pattern.get("delay") or {}).get("delays") or list(range(books))
        problems = [
            f"{key} is {value}, expected {wanted}"
            for key, wanted in EXPECTED.items()
            if (value := _setting(settings, key, wanted)) != wanted
        ]
        if delays != list(range(books)):  # stereo models, for one
            problems.append(f"codebooks_pattern.delay.delays is {delays}")
        raise_all(problems, f"{path}: another architecture than mono MusicGen:")
        return settings

    def build(self, device: str, dtype: str) -> torch.nn.Module:
        network = super().build(device, dtype)
        table = network.model.decoder.embed_positions
        table.weights = table.weights.copy_(sinusoids(*table.weights.shape))
        return network

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        decoder = {}
        for name, tensor in read_exported(folder)[0].items():
            if name.startswith("condition_provider."):  # text conditioning is not interpolated
                continue
            name = renamed(name)
            if name.endswith("in_proj_weight"):
                for i, part in enumerate("qkv"):
                    split = name.replace("in_proj_weight", f"{part}_proj.weight")
                    decoder[split] = tensor.part(i, 3)
            else:
                decoder[name] = tensor
        require_fit(self.build("meta", "float32"), decoder, folder)
        return decoder

    def codec_folder(self) -> str:
        if "codec" not in self.options:
            raise RasenError(
                f"{self.folder}: audiocraft keeps its codec in a format of its own; set `codec` "
                "to an EnCodec in transformers' layout (facebook/encodec_32khz)"
            )
        return self.options["codec"]

    def codec_config(self) -> dict[str, Any]:
        return read_config(self.codec_folder())

    def codec_tensors(self) -> dict[str, LazyTensor]:
        return lazy_tensors.read_folder(self.codec_folder())

    def export(self, network: torch.nn.Module, folder: Path) -> None:
        network.save_pretrained(folder)  # a decoder as transformers stores it


def renamed(name: str) -> str:
    """audiocraft's name of a tensor as transformers says it."""
    for old, new in RENAMED:
        name = re.sub(old, new, name)
    return name


def sinusoids(length: int, dim: int) -> torch.Tensor:
    """audiocraft's position table [length, dim], in its own order of rounding."""
    half = dim // 2
    exponent = torch.arange(half).view(1, -1) / (half - 1)
    phase = torch.arange(length).view(-1, 1) / (torch.full([], 10000.0) ** exponent)
    return torch.cat([torch.cos(phase), torch.sin(phase)], dim=-1)


def _setting(settings, key, default):
    """settings["a"]["b"] for "a.b"; the default where it is not said."""
    for part in key.split("."):
        settings = (settings or {}).get(part)
    return default if settings is None else settings


FAMILY = Audiocraft
