"""Checkpoints of the stable-audio VAE (an "Oobleck") in the formats of two libraries.

    stable-audio-tools      model config JSON beside a .ckpt or .safetensors
    diffusers               folder with config.json and diffusion_pytorch_model.safetensors

Both become diffusers' AutoencoderOobleck. What it cannot represent is refused by name, and so is a
VAE whose frames would not be those of the sketch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch

from rasen.errors import RasenError, raise_all
from rasen.networks.frames import FRAME_RATE, LATENT_CHANNELS
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.weights import lazy_tensors

SAMPLE_RATE = 48000
HOP = SAMPLE_RATE // FRAME_RATE  # samples per frame
CURE = "give a stable-audio-tools config JSON with its checkpoint beside it, or a diffusers folder"
# Of the autoencoder's tensors: alone, in its training, in SongBloom, in Stable Audio.
PREFIXES = ("", "autoencoder.", "vae.", "vae.vae.", "pretransform.model.")


@dataclass(frozen=True)
class OobleckConfig:
    """Arguments of diffusers' AutoencoderOobleck, with its defaults."""

    encoder_hidden_size: int = 128
    downsampling_ratios: list[int] = field(default_factory=lambda: [2, 4, 4, 8, 8])
    channel_multiples: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])
    decoder_channels: int = 128
    decoder_input_channels: int = 64
    audio_channels: int = 2
    sampling_rate: int = 44100


def open_oobleck(path: Path | str, weights: Path | str | None = None) -> torch.nn.Module:
    """The AutoencoderOobleck that a config JSON or a folder describes, with its weights."""
    file = _config_file(Path(path))
    content = _read_json(file)
    if "_class_name" in content:
        config, problems = _from_diffusers(content)
        weights = weights or file.parent / "diffusion_pytorch_model.safetensors"
    else:
        try:
            config, problems = from_stable_audio(content)
        except (AttributeError, TypeError) as error:  # a list in the place of a table, ...
            raise RasenError(f"{file}: not a model config ({error}); {CURE}") from None
        weights = weights or _checkpoint_beside(file)
    problems = problems or _mismatches(config)
    raise_all(f"{file}: {problem}" for problem in problems)
    net = build_oobleck(config)
    tensors = _read_tensors(Path(weights))
    if "_class_name" not in content:
        tensors = rename_tensors(tensors, len(config.downsampling_ratios), weights)
    try:
        net.load_state_dict(tensors, strict=True)
    except RuntimeError as error:  # torch names every missing, unknown and misshapen tensor
        shown = " ".join(line.strip() for line in str(error).splitlines()[1:])[:300]
        raise RasenError(f"{weights}: does not fit {file.name}: {shown}; {CURE}") from None
    return net


def build_oobleck(config: OobleckConfig) -> torch.nn.Module:
    """diffusers' AutoencoderOobleck with random weights.

    diffusers builds only encoders whose width is twice the latents; the last convolution is
    replaced, so that any width can be had.
    """
    import_torchaudio()
    from diffusers import AutoencoderOobleck

    net = AutoencoderOobleck(**asdict(config))
    old = net.encoder.conv2
    new = torch.nn.Conv1d(old.in_channels, 2 * config.decoder_input_channels, 3, padding=1)
    net.encoder.conv2 = torch.nn.utils.weight_norm(new)
    return net


def module_names(depth: int) -> dict[str, str]:
    """{module of stable-audio-tools: module of diffusers} of an Oobleck with `depth` blocks."""
    names = {}
    sides = (
        ("encoder", 0, {3: "snake1", 4: "conv1"}),  # residual units, then downsampling
        ("decoder", 2, {0: "snake1", 1: "conv_t1"}),  # upsampling, then residual units
    )
    for side, first_unit, others in sides:
        names[f"{side}.layers.0"] = f"{side}.conv1"
        names[f"{side}.layers.{depth + 1}"] = f"{side}.snake1"
        names[f"{side}.layers.{depth + 2}"] = f"{side}.conv2"
        for index in range(depth):
            theirs, ours = f"{side}.layers.{index + 1}.layers", f"{side}.block.{index}"
            for place, name in others.items():
                names[f"{theirs}.{place}"] = f"{ours}.{name}"
            for unit in range(3):
                for place, name in enumerate(("snake1", "conv1", "snake2", "conv2")):
                    layer = f"{theirs}.{first_unit + unit}.layers.{place}"
                    names[layer] = f"{ours}.res_unit{unit + 1}.{name}"
    return names


def rename_tensors(
    tensors: Mapping[str, torch.Tensor], depth: int, source: Path | str
) -> dict[str, torch.Tensor]:
    """The autoencoder's tensors of a stable-audio-tools checkpoint, as diffusers names them."""
    first = "encoder.layers.0.weight_v"
    prefix = next((prefix for prefix in PREFIXES if prefix + first in tensors), None)
    if prefix is None:
        raise RasenError(f"{source}: holds no {first} (an Oobleck's first tensor); {CURE}")
    names = module_names(depth)
    renamed = {}
    for key, tensor in tensors.items():
        if not key.startswith((prefix + "encoder.", prefix + "decoder.")):
            continue  # of a discriminator, a diffusion model, ...
        module, _, leaf = key.removeprefix(prefix).rpartition(".")
        shape = (1, -1, 1) if leaf in ("alpha", "beta") else tensor.shape
        renamed[f"{names.get(module, module)}.{leaf}"] = tensor.reshape(shape)
    return renamed


def _from_diffusers(content):
    """The OobleckConfig of an AutoencoderOobleck's config.json, and what is wrong with it."""
    name = content["_class_name"]
    if name != "AutoencoderOobleck":
        problem = f"_class_name is {name}, an AutoencoderOobleck is wanted; {CURE}"
        return OobleckConfig(), [problem]
    known = asdict(OobleckConfig()).keys() & content.keys()
    return OobleckConfig(**{key: content[key] for key in known}), []


def from_stable_audio(content: Mapping[str, Any]) -> tuple[OobleckConfig, list[str]]:
    """The OobleckConfig of a stable-audio-tools config, and what of it diffusers cannot represent.

    Missing keys have the defaults of stable-audio-tools.
    """
    model = content.get("model", {})
    if "encoder" not in model:  # a whole Stable Audio: its autoencoder is the pretransform
        model = model.get("pretransform", {}).get("config", {})
    if not {"encoder", "decoder", "latent_dim", "io_channels"} <= model.keys():
        problem = f"describes no autoencoder (model.encoder, model.decoder, ...); {CURE}"
        return OobleckConfig(), [problem]
    encoder, decoder = model["encoder"].get("config", {}), model["decoder"].get("config", {})
    bottleneck = (model.get("bottleneck") or {}).get("type")
    channels = {model["io_channels"], encoder.get("in_channels", 2), decoder.get("out_channels", 2)}
    multiples = encoder.get("c_mults", [1, 2, 4, 8])
    strides = encoder.get("strides", [2, 4, 8, 8])
    width = encoder.get("latent_dim", 32)
    refused = {
        "the encoder is not oobleck": model["encoder"].get("type") != "oobleck",
        "the decoder is not oobleck": model["decoder"].get("type") != "oobleck",
        "use_snake is not true": not (encoder.get("use_snake") and decoder.get("use_snake")),
        "final_tanh is not false": decoder.get("final_tanh", True),
        "antialias_activation": encoder.get("antialias_activation")
        or decoder.get("antialias_activation"),
        "use_nearest_upsample": decoder.get("use_nearest_upsample"),
        "soft_clip": model["decoder"].get("soft_clip"),
        "pretransform": model.get("pretransform"),
        f"the bottleneck is {bottleneck}, not vae": bottleneck != "vae",
        "encoder and decoder have other channels than io_channels": len(channels) > 1
        or {model.get("in_channels"), model.get("out_channels")} - channels - {None},
        "encoder and decoder differ in c_mults": multiples != decoder.get("c_mults", [1, 2, 4, 8]),
        "encoder and decoder differ in strides": strides != decoder.get("strides", [2, 4, 8, 8]),
        "the encoder's latent_dim is not twice the model's": width != 2 * model["latent_dim"],
        "the decoder's latent_dim is not the model's": decoder.get("latent_dim", 32)
        != model["latent_dim"],
        "c_mults and strides differ in length": len(multiples) != len(strides),
        "an odd stride": any(stride % 2 for stride in strides),
    }
    config = OobleckConfig(
        encoder_hidden_size=encoder.get("channels", 128),
        downsampling_ratios=strides,
        channel_multiples=multiples,
        decoder_channels=decoder.get("channels", 128),
        decoder_input_channels=model["latent_dim"],
        audio_channels=model["io_channels"],
        sampling_rate=content.get("sample_rate", 0),
    )
    problems = [
        f"{feature}: cannot be opened here" for feature, present in refused.items() if present
    ]
    return config, problems


def _mismatches(config):
    """Why a VAE gives other latents than the songs have: 64 of stereo at 48 kHz, 25 per second."""
    rate, ratio = config.sampling_rate, prod(config.downsampling_ratios)
    problems = []
    if rate != SAMPLE_RATE or ratio != HOP:
        problems.append(
            f"{ratio} samples per latent at {rate} Hz are {rate / ratio:.2f} frames per second; "
            f"{HOP} at {SAMPLE_RATE} Hz are wanted, {FRAME_RATE} per second, as the sketch has"
        )
    if config.audio_channels != 2:
        problems.append(f"{config.audio_channels} channels; stereo is wanted")
    if config.decoder_input_channels != LATENT_CHANNELS:
        problems.append(f"{config.decoder_input_channels} latents; {LATENT_CHANNELS} are wanted")
    return problems


def _config_file(path):
    """The JSON that `path` is, or that lies in it."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise RasenError(f"{path}: no such file or folder; {CURE}")
    if (path / "config.json").is_file():
        return path / "config.json"
    return _only_file(sorted(path.glob("*.json")), path, "config JSON")


def _checkpoint_beside(file):
    """The checkpoint beside a config JSON: of the same name, or the only one."""
    checkpoints = sorted([*file.parent.glob("*.ckpt"), *file.parent.glob("*.safetensors")])
    same_name = [path for path in checkpoints if path.stem == file.stem]
    return _only_file(same_name or checkpoints, file.parent, "checkpoint (.ckpt or .safetensors)")


def _only_file(files, folder, kind):
    if len(files) == 1:
        return files[0]
    count = "no" if not files else "more than one"
    raise RasenError(f"{folder}: holds {count} {kind}; name the file")


def _read_json(file):
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RasenError(f"{file}: not JSON ({error}); {CURE}") from None
    if not isinstance(content, dict):
        raise RasenError(f"{file}: not a model's config; {CURE}")
    return content


def _read_tensors(path):
    """{name: tensor} of a .safetensors or .ckpt file; no code in it is run."""
    if not path.is_file():
        raise RasenError(f"{path}: no such file; {CURE}")
    if path.suffix == ".safetensors":
        return {name: lazy.read() for name, lazy in lazy_tensors.read_safetensors(path).items()}
    content = lazy_tensors.load_pytorch(path)
    tensors = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(tensors, dict):
        raise RasenError(f"{path}: holds no state_dict; {CURE}")
    return tensors
