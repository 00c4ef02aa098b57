"""Small MuQ and stable-audio VAE checkpoints with random weights, in the genuine formats.

For tests and the demo: they open, run and fail like the real ones and cost almost nothing. Their
numbers mean nothing, but different music gets different numbers.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch

from rasen.songs.muq import build

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


def make_muq(folder, seed):
    """Write a MuQ of some 90 thousand parameters: config.json and model.safetensors."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(MUQ)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps(asdict(model.config), indent=2, sort_keys=True)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
