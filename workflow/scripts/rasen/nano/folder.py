"""Nano on disk: the folder layout of any MusicGen checkpoint, and one folder per step kept."""

from pathlib import Path

import torch
from transformers import (
    EncodecModel,
    GenerationConfig,
    MusicgenForCausalLM,
    MusicgenForConditionalGeneration,
    T5Config,
    T5EncoderModel,
)

from rasen.nano.codec import CODES, FRAME_RATE

LONGEST = 30  # seconds of a generated clip


def save_model(folder: Path, codec: EncodecModel, network: MusicgenForCausalLM, seed: int) -> None:
    """Write the whole model: text encoder, codec and language model in one folder.

    The text encoder is random: nano is not trained on text, but the layout has one.
    """
    torch.manual_seed(seed)
    model = MusicgenForConditionalGeneration(
        text_encoder=T5EncoderModel(text_config()), audio_encoder=codec, decoder=network
    )
    model.generation_config = GenerationConfig(
        decoder_start_token_id=CODES,
        bos_token_id=CODES,
        pad_token_id=CODES,
        max_length=LONGEST * FRAME_RATE,
        do_sample=True,
        guidance_scale=3.0,
    )
    model.save_pretrained(folder)


def save_step(folder: Path, step: int, network: MusicgenForCausalLM) -> None:
    """Write the language model alone, as it is at a step of its training."""
    network.save_pretrained(folder / "checkpoints" / f"step-{step:06d}")


def text_config() -> T5Config:
    """A very small T5."""
    return T5Config(
        vocab_size=128,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=1,
        num_heads=4,
        dropout_rate=0.0,
    )
