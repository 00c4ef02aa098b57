"""Small MuQ and stable-audio VAE checkpoints with random weights, in the genuine formats.

For tests and the demo: they load, run and fail like the real ones and cost almost nothing. Their
outputs are meaningless, but differ for different music.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from rasen.networks import muq, oobleck

MUQ = {
    "label_rate": 25,
    "codebook_size": 256,
    "conv_dim": 16,
    "encoder_dim": 32,
    "encoder_depth": 3,
    # mean and spread of mel spectrograms in decibels, as the published model has them
    "stat": {"melspec_2048_mean": 6.768444971712967, "melspec_2048_std": 18.417922652295623},
    "w2v2_config": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 3,
        "position_embeddings_type": "rotary",
        "rotary_embedding_base": 10000,
        "conv_depthwise_kernel_size": 31,
        "hidden_act": "swish",
        "layer_norm_eps": 1e-05,
        "num_conv_pos_embeddings": 32,
        "num_conv_pos_embedding_groups": 4,
        "max_source_positions": 5000,
        "feat_extract_activation": "gelu",
        "hidden_dropout": 0.0,
        "activation_dropout": 0.0,
        "attention_dropout": 0.0,
        "conformer_conv_dropout": 0.0,
        "layerdrop": 0.0,
    },
}


def make_muq(folder: Path | str, seed: int, config: Mapping[str, Any] = MUQ) -> None:
    """Write a MuQ, by default of some 90 thousand parameters: config.json, model.safetensors."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = muq.build_muq(config)  # its weights do not depend on `seed`: each matrix is drawn anew
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=float(parameter.std()))
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps(asdict(model.config), indent=2, sort_keys=True)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def vae_config(channels: int = 8) -> dict[str, Any]:
    """A stable-audio-tools model config: SongBloom's VAE, but narrow."""
    shape = {"channels": channels, "c_mults": [1, 2, 4, 8, 16], "strides": [2, 4, 4, 6, 10]}
    encoder = {"in_channels": 2, **shape, "latent_dim": 128, "use_snake": True}
    decoder = {"out_channels": 2, **shape, "latent_dim": 64, "use_snake": True, "final_tanh": False}
    return {
        "model_type": "autoencoder",
        "sample_size": 65536,
        "sample_rate": 48000,
        "audio_channels": 2,
        "model": {
            "encoder": {"type": "oobleck", "config": encoder},
            "decoder": {"type": "oobleck", "config": decoder},
            "bottleneck": {"type": "vae"},
            "latent_dim": 64,
            "downsampling_ratio": 1920,
            "io_channels": 2,
        },
    }


def make_vae(folder: Path | str, seed: int, channels: int = 8) -> None:
    """Write a VAE, by default of some 770 thousand parameters: vae.json and vae.safetensors."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = vae_config(channels)
    (folder / "vae.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    oobleck_config, _ = oobleck.from_stable_audio(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = oobleck.build_oobleck(oobleck_config)
        for name, parameter in net.named_parameters():
            if name.endswith(("alpha", "beta")):  # zeros in a new network: make them differ
                torch.nn.init.normal_(parameter, std=0.1)
    names = oobleck.module_names(len(oobleck_config.downsampling_ratios))
    theirs = {ours: theirs for theirs, ours in names.items()}
    tensors = {}
    for key, tensor in net.state_dict().items():
        module, _, leaf = key.rpartition(".")
        flat = tensor.flatten() if leaf in ("alpha", "beta") else tensor
        tensors[f"{theirs[module]}.{leaf}"] = flat.contiguous()
    save_file(tensors, folder / "vae.safetensors", metadata={"format": "pt"})
