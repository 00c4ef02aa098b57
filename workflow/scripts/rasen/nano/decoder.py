"""The language model of nano: its configuration, its loss and its training."""

from collections.abc import Collection, Iterator

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import MusicgenDecoderConfig, MusicgenForCausalLM

from rasen.families.musicgen import delayed
from rasen.nano.codec import CODEBOOKS, CODES

WINDOW = 100  # frames: 2 seconds
BATCH = 8
PEAK_RATE = 2e-3  # learning rate, reached after a third of the steps
MAX_NORM = 1.0  # of the gradient


def decoder_config() -> MusicgenDecoderConfig:
    """The architecture: MusicGen's, with 6 layers of width 128 and no dropout at all."""
    return MusicgenDecoderConfig(
        vocab_size=CODES,
        num_codebooks=CODEBOOKS,
        pad_token_id=CODES,
        bos_token_id=CODES,
        max_position_embeddings=2048,
        num_hidden_layers=6,
        hidden_size=128,
        ffn_dim=512,
        num_attention_heads=4,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        layerdrop=0.0,
        scale_embedding=False,
        activation_function="gelu",
        audio_channels=1,
    )


def log_spaced(steps: int) -> list[int]:
    """The steps to keep: 0, the powers of 2, and the last."""
    return sorted({0, *(2**i for i in range(steps.bit_length())), steps})


def train(
    network: MusicgenForCausalLM, codes: Tensor, steps: int, keep: Collection[int], seed: int
) -> Iterator[int]:
    """Train an initialised network on codes [clip, codebook, frame], in place.

    Yields every step to keep while the network has that step's weights: save them before resuming
    the iterator. Step 0 is the network as it was given.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps)
    full = torch.full((BATCH,), WINDOW)
    network.train()
    for step in tqdm(range(steps + 1), desc="train nano", disable=None):
        if step in keep:
            yield step
        if step == steps:
            break
        batch = windows(codes, generator)
        # Labels are the steps after the special column; the network shifts them itself.
        loss = network(labels=delayed(batch, full, CODES)[:, 1 : WINDOW + 1]).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
        optimizer.step()
        schedule.step()
    network.eval()


def windows(codes: Tensor, generator: torch.Generator) -> Tensor:
    """A random batch [window, frame, codebook] out of codes [clip, codebook, frame]."""
    clips = torch.randint(len(codes), (BATCH,), generator=generator)
    starts = torch.randint(codes.shape[2] - WINDOW + 1, (BATCH,), generator=generator)
    return torch.stack(
        [
            codes[c, :, s : s + WINDOW].T
            for c, s in zip(clips.tolist(), starts.tolist(), strict=True)
        ]
    )
