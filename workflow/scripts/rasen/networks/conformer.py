"""The network that MuQ and MusicFM share: a log-mel spectrogram, two residual convolutions, and
transformers' conformer. Its tensors have the names of the published checkpoints.

    samples [clip, time] at 24 kHz -> 25 vectors per second

Layer 0 is what the convolutions give, layer i the output of block i; the last one is taken after
the encoder's layer norm, as both packages count. What a checkpoint holds beside (positions that a
rotary conformer does not use, a class token) takes no part and is not here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import Wav2Vec2ConformerConfig
from transformers.audio_utils import mel_filter_bank
from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import (
    Wav2Vec2ConformerEncoder,
)

SAMPLE_RATE, HOP, FFT, BANDS = 24000, 240, 2048, 128
FOLD = 4  # mel frames per frame of the network
FRAME_RATE = SAMPLE_RATE / HOP / FOLD
LEAST = FFT // 2 + 1  # samples: the spectrogram mirrors half a window at each end


@dataclass(frozen=True)
class Sizes:
    """Of one network; the values are those of the published checkpoints.

    mean, std:  of the log-mel spectrogram in dB, over the training data
    conformer:  fields of Wav2Vec2ConformerConfig
    """

    mean: float
    std: float
    codes: int = 4096
    channels: int = 512
    width: int = 1024
    depth: int = 12
    conformer: dict[str, Any] = field(default_factory=dict)


class MusicConformer(torch.nn.Module):
    """See above. `linear` predicts the codes of masked frames."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.mean, self.std = sizes.mean, sizes.std
        self.conv = Subsampling(sizes.channels, sizes.width)
        fields = {"position_embeddings_type": "rotary", "layerdrop": 0.0} | sizes.conformer
        fields |= {"hidden_size": sizes.width, "num_hidden_layers": sizes.depth}
        config = Wav2Vec2ConformerConfig(**fields)
        config._attn_implementation = "sdpa"
        self.conformer = Wav2Vec2ConformerEncoder(config)
        del self.conformer.pos_conv_embed  # which the forward pass of the encoder never calls
        self.linear = torch.nn.Linear(sizes.width, sizes.codes)
        self.fill_tables()

    def fill_tables(self) -> None:
        """Compute what no checkpoint needs to hold; again after the storage was made anew."""
        device = self.linear.weight.device
        bank = mel_filter_bank(FFT // 2 + 1, BANDS, 0, SAMPLE_RATE / 2, SAMPLE_RATE, None, "htk")
        tables = {"bank": torch.from_numpy(bank).float(), "window": torch.hann_window(FFT)}
        for name, table in tables.items():
            self.register_buffer(name, table.to(device), persistent=False)
        rotary = self.conformer.embed_positions
        width = self.conformer.config.hidden_size // self.conformer.config.num_attention_heads
        places = torch.arange(0, width, 2, dtype=torch.int64).float() / width
        frequencies = 1.0 / self.conformer.config.rotary_embedding_base**places
        del rotary.inv_freq
        rotary.register_buffer("inv_freq", frequencies.to(device), persistent=False)
        rotary.cached_sequence_length = None

    def spectrogram(self, samples: torch.Tensor) -> torch.Tensor:
        """Normalised log-mel spectrogram [clip, band, mel frame] of samples [clip, time]."""
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = torch.stft(
                samples.float(), FFT, HOP, window=self.window.float(), return_complex=True
            )
            power = spectrum.abs().square()[..., :-1].transpose(1, 2) @ self.bank.float()
            decibels = 10 * torch.log10(power.clamp(min=1e-10))
            return ((decibels - self.mean) / self.std).transpose(1, 2)

    def layers(self, samples: torch.Tensor, wanted: Sequence[int]) -> Iterator[torch.Tensor]:
        """Outputs [clip, frame, width] of ascending layers; those above the last do not run."""
        hidden = self.conv(self.spectrogram(samples).to(self.linear.weight.dtype))
        if 0 in wanted:
            yield hidden
        encoder = self.conformer
        places = encoder.embed_positions(hidden)
        for number, block in enumerate(encoder.layers[: max(wanted)], start=1):
            hidden = block(hidden, relative_position_embeddings=places)
            if number in wanted:
                yield encoder.layer_norm(hidden) if number == len(encoder.layers) else hidden

    def predict(self, samples: torch.Tensor) -> torch.Tensor:
        """Logits of the codes [clip, frame, code]."""
        (last,) = self.layers(samples, [len(self.conformer.layers)])
        return self.linear(last)


class Subsampling(torch.nn.Module):
    """A spectrogram [clip, band, time] as vectors [clip, time / 4, width]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv = torch.nn.Sequential(Residual(1, channels), Residual(channels, channels))
        self.linear = torch.nn.Linear(channels * BANDS // 4, width)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return self.linear(self.conv(mel[:, None]).flatten(1, 2).transpose(1, 2))


class Residual(torch.nn.Module):
    """Two convolutions beside one, which halve both sides of a picture."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(before, after, 3, padding=1, stride=2)
        self.bn1 = torch.nn.BatchNorm2d(after)
        self.conv2 = torch.nn.Conv2d(after, after, 3, padding=1)
        self.bn2 = torch.nn.BatchNorm2d(after)
        self.conv3 = torch.nn.Conv2d(before, after, 3, padding=1, stride=2)
        self.bn3 = torch.nn.BatchNorm2d(after)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        change = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(picture)))))
        return torch.relu(self.bn3(self.conv3(picture)) + change)


def frames(samples: torch.Tensor) -> torch.Tensor:
    """Frames that clips of so many samples [clip] give."""
    return (samples // HOP + FOLD - 1) // FOLD
