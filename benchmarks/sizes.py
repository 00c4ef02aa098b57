"""Checkpoint folders of the models' real sizes with random weights, made once.

MusicGen's folder holds its decoder, which is what is interpolated, and its codec; not the text
encoder.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers.models.encodec.modeling_encodec import EncodecConfig, EncodecModel

from rasen.families.musicgen import PREFIX, MusicGen
from rasen.io.atomic import whole_file
from rasen.weights.network_tensors import named_tensors

WORK = Path(__file__).parent / "work"  # where folders of checkpoints are kept

SIZES = {  # width, heads, layers of the decoder; filters of the codec
    "tiny": (256, 4, 4, 4),
    "small": (1024, 16, 24, 64),
    "large": (2048, 32, 48, 64),
}


def config_of(size: str) -> dict:
    """MusicGen's config.json, without its text encoder."""
    width, heads, layers, filters = SIZES[size]
    decoder = {
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
    codec = {
        "model_type": "encodec",
        "sampling_rate": 32000,
        "num_filters": filters,
        "codebook_size": 2048,
        "upsampling_ratios": [8, 5, 4, 4],
        "target_bandwidths": [2.2],
        "use_causal_conv": False,
        "use_conv_shortcut": False,
    }
    return {"model_type": "musicgen", "decoder": decoder, "audio_encoder": codec}


def checkpoint(size: str, work: Path = WORK) -> Path:
    """A MusicGen folder (config.json, model.safetensors, float32) of one size."""
    folder, text = work / size, json.dumps(config_of(size))
    config, weights = folder / "config.json", folder / "model.safetensors"
    if weights.exists() and config.exists() and config.read_text() == text:
        return folder
    weights.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(text)
    family = MusicGen(folder, {})
    decoder = named_tensors(family.build("cpu", "float32"))
    generator = torch.Generator().manual_seed(0)
    for tensor in decoder.values():
        tensor.normal_(std=0.02, generator=generator)
    torch.manual_seed(0)
    codec = EncodecModel(EncodecConfig(**family.codec_config()))
    for layer in codec.quantizer.layers:
        layer.codebook.embed.normal_()
    tensors = {PREFIX + name: tensor for name, tensor in decoder.items()}
    tensors |= {f"audio_encoder.{name}": tensor for name, tensor in codec.state_dict().items()}
    with whole_file(weights) as partial:
        save_file(tensors, partial)
    return folder
