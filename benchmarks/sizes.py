"""Checkpoint folders of MusicGen's real sizes with random weights: only the decoder is walked."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from rasen.families.musicgen import MusicGen
from rasen.weights.network_tensors import named_tensors

SIZES = {  # width, heads, layers
    "tiny": (256, 4, 4),
    "small": (1024, 16, 24),
    "large": (2048, 32, 48),
}


def checkpoint(folder, size):
    """A decoder folder (config.json, model.safetensors, float32) of one size, made once."""
    folder = Path(folder)
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    width, heads, layers = SIZES[size]
    config = {
        "model_type": "musicgen_decoder",
        "vocab_size": 2048,
        "hidden_size": width,
        "ffn_dim": 4 * width,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_codebooks": 4,
        "pad_token_id": 2048,
        "bos_token_id": 2048,
        "max_position_embeddings": 2048,
    }
    (folder / "config.json").write_text(json.dumps(config))
    network = MusicGen(folder, {}).build("cpu", "float32")
    generator = torch.Generator().manual_seed(0)
    for tensor in named_tensors(network).values():
        tensor.normal_(std=0.02, generator=generator)
    save_file(dict(named_tensors(network)), folder / "model.safetensors")
    (folder / "complete").touch()
    return folder
