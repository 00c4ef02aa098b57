"""Checkpoints of the stable-audio VAE (an "Oobleck") in the formats of the libraries that have it.

    stable-audio-tools      model config JSON beside a .ckpt or .safetensors
    diffusers               folder with config.json and diffusion_pytorch_model.safetensors

Both become diffusers' AutoencoderOobleck. What it cannot represent is refused by name, and so is a
VAE whose latents would not be in step with the sketch.
"""

import json
from math import prod
from pathlib import Path

import torch

from rasen.errors import RasenError, raise_all
from rasen.networks.frames import RATE as FRAMES
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.weights import lazy_tensors

RATE = 48000
HOP = RATE // FRAMES  # samples a frame
LATENT = 64
CURE = "give a stable-audio-tools config JSON with its checkpoint beside it, or a diffusers folder"
# Where the autoencoder lies in a checkpoint: alone, of its training, of SongBloom, of Stable Audio.
PREFIXES = ("", "autoencoder.", "vae.", "vae.vae.", "pretransform.model.")


def open_oobleck(path, weights=None):
    """The AutoencoderOobleck that a config JSON or a folder describes, with its weights."""
    path = Path(path)
    file = _config_file(path)
    config = _json(file)
    if "_class_name" in config:
        settings, problems = _from_diffusers(config)
        weights = weights or file.parent / "diffusion_pytorch_model.safetensors"
    else:
        try:
            settings, problems = from_stable_audio(config)
        except (AttributeError, TypeError) as error:  # a list where a table is meant, ...
            raise RasenError(f"{file}: not a model config ({error}); {CURE}") from None
        weights = weights or _beside(file)
    problems = problems or _misfits(settings)
    raise_all(f"{file}: {problem}" for problem in problems)
    net = build(settings)
    tensors = _tensors(Path(weights))
    if "_class_name" not in config:
        tensors = renamed(tensors, len(settings["downsampling_ratios"]), weights)
    try:
        net.load_state_dict(tensors, strict=True)
    except RuntimeError as error:  # torch names every missing, unknown and misshapen tensor
        shown = " ".join(line.strip() for line in str(error).splitlines()[1:])[:300]
        raise RasenError(f"{weights}: does not fit {file.name}: {shown}; {CURE}") from None
    return net


def build(settings):
    """diffusers' AutoencoderOobleck with random weights.

    diffusers knows encoders only whose width is twice the latents; the last convolution is put in
    anew, so that any width can be had.
    """
    import_torchaudio()
    from diffusers import AutoencoderOobleck

    net = AutoencoderOobleck(**settings)
    old = net.encoder.conv2
    new = torch.nn.Conv1d(old.in_channels, 2 * settings["decoder_input_channels"], 3, padding=1)
    net.encoder.conv2 = torch.nn.utils.weight_norm(new)
    return net


def names(depth):
    """{module of stable-audio-tools: module of diffusers} of an Oobleck with `depth` blocks."""
    found = {}
    sides = (
        ("encoder", 0, {3: "snake1", 4: "conv1"}),  # residual units, then down
        ("decoder", 2, {0: "snake1", 1: "conv_t1"}),  # up, then residual units
    )
    for side, units, others in sides:
        found[f"{side}.layers.0"] = f"{side}.conv1"
        found[f"{side}.layers.{depth + 1}"] = f"{side}.snake1"
        found[f"{side}.layers.{depth + 2}"] = f"{side}.conv2"
        for index in range(depth):
            theirs, ours = f"{side}.layers.{index + 1}.layers", f"{side}.block.{index}"
            for place, name in others.items():
                found[f"{theirs}.{place}"] = f"{ours}.{name}"
            for unit in range(3):
                for place, name in enumerate(("snake1", "conv1", "snake2", "conv2")):
                    there = f"{theirs}.{units + unit}.layers.{place}"
                    found[there] = f"{ours}.res_unit{unit + 1}.{name}"
    return found


def renamed(tensors, depth, source):
    """The autoencoder's tensors of a stable-audio-tools checkpoint, as diffusers names them."""
    first = "encoder.layers.0.weight_v"
    prefix = next((prefix for prefix in PREFIXES if prefix + first in tensors), None)
    if prefix is None:
        raise RasenError(f"{source}: holds no {first} (an Oobleck's first tensor); {CURE}")
    table = names(depth)
    out = {}
    for key, tensor in tensors.items():
        if not key.startswith((prefix + "encoder.", prefix + "decoder.")):
            continue  # of a discriminator, a diffusion model, ...
        module, _, leaf = key.removeprefix(prefix).rpartition(".")
        shape = (1, -1, 1) if leaf in ("alpha", "beta") else tensor.shape
        out[f"{table.get(module, module)}.{leaf}"] = tensor.reshape(shape)
    return out


def _from_diffusers(config):
    """Settings of an AutoencoderOobleck's config.json, and what is wrong with it."""
    name = config["_class_name"]
    if name != "AutoencoderOobleck":
        return {}, [f"_class_name is {name}, an AutoencoderOobleck is wanted; {CURE}"]
    defaults = {
        "encoder_hidden_size": 128,
        "downsampling_ratios": [2, 4, 4, 8, 8],
        "channel_multiples": [1, 2, 4, 8, 16],
        "decoder_channels": 128,
        "decoder_input_channels": 64,
        "audio_channels": 2,
        "sampling_rate": 44100,
    }
    return {key: config.get(key, value) for key, value in defaults.items()}, []


def from_stable_audio(config):
    """Settings of a stable-audio-tools config, and what of it diffusers cannot represent."""
    model = config.get("model", {})
    if "encoder" not in model:  # a whole Stable Audio: its autoencoder is the pretransform
        model = model.get("pretransform", {}).get("config", {})
    if not {"encoder", "decoder", "latent_dim", "io_channels"} <= model.keys():
        return {}, [f"describes no autoencoder (model.encoder, model.decoder, ...); {CURE}"]
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
    settings = {
        "encoder_hidden_size": encoder.get("channels", 128),
        "downsampling_ratios": strides,
        "channel_multiples": multiples,
        "decoder_channels": decoder.get("channels", 128),
        "decoder_input_channels": model["latent_dim"],
        "audio_channels": model["io_channels"],
        "sampling_rate": config.get("sample_rate", 0),
    }
    return settings, [f"{what}: cannot be opened here" for what, true in refused.items() if true]


def _misfits(settings):
    """Why a VAE gives other latents than the songs have: 64 of stereo at 48 kHz, 25 a second."""
    rate, ratio = settings["sampling_rate"], prod(settings["downsampling_ratios"])
    found = []
    if rate != RATE or ratio != HOP:
        found.append(
            f"{ratio} samples a latent at {rate} Hz are {rate / ratio:.2f} frames a second; "
            f"{HOP} at {RATE} Hz are wanted, {FRAMES} a second, in step with the sketch"
        )
    if settings["audio_channels"] != 2:
        found.append(f"{settings['audio_channels']} channels; stereo is wanted")
    if settings["decoder_input_channels"] != LATENT:
        found.append(f"{settings['decoder_input_channels']} latents; {LATENT} are wanted")
    return found


def _config_file(path):
    """The JSON that `path` is, or that lies in it."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise RasenError(f"{path}: no such file or folder; {CURE}")
    if (path / "config.json").is_file():
        return path / "config.json"
    return _only(sorted(path.glob("*.json")), path, "config JSON")


def _beside(file):
    """The checkpoint beside a config JSON: of the same name, or the only one."""
    found = sorted([*file.parent.glob("*.ckpt"), *file.parent.glob("*.safetensors")])
    same = [path for path in found if path.stem == file.stem]
    return _only(same or found, file.parent, "checkpoint (.ckpt or .safetensors)")


def _only(found, folder, what):
    if len(found) == 1:
        return found[0]
    count = "no" if not found else "more than one"
    raise RasenError(f"{folder}: holds {count} {what}; name the file")


def _json(file):
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RasenError(f"{file}: not JSON ({error}); {CURE}") from None
    if not isinstance(config, dict):
        raise RasenError(f"{file}: not a model's config; {CURE}")
    return config


def _tensors(path):
    """{name: tensor} of a .safetensors or .ckpt file; nothing in it is run."""
    if not path.is_file():
        raise RasenError(f"{path}: no such file; {CURE}")
    if path.suffix == ".safetensors":
        return {name: lazy.read() for name, lazy in lazy_tensors.read_safetensors(path).items()}
    content = lazy_tensors.load_pytorch(path)
    tensors = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(tensors, dict):
        raise RasenError(f"{path}: holds no state_dict; {CURE}")
    return tensors
