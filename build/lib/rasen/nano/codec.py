"""The codec of nano: a genuine EncodecModel that turns sound into 4 tokens a frame.

Its encoder is not trained but written down, as a simple ear. Every layer of EnCodec's encoder gets
one job: the first convolution is a bank of band-pass filters, the ELU after it rectifies, the
strided convolutions average each band over a frame, and the last ELU and convolution compress
loudness roughly as a logarithm would. The code books are then fitted to real clips by residual
k-means, so a token stands for a spectrum: pitches in a timbre.

The decoder half stays random: nano's tokens are read by its language model, never by ears.
"""

import numpy as np
import torch
from torch import Tensor, nn
from transformers import EncodecConfig, EncodecModel

RATE = 16_000  # samples per second
CODEBOOKS, CODES = 4, 64
BANDS = 24
LOWEST, HIGHEST = 80.0, 7200.0  # Hz, centres of the outer bands
STRIDES = (20, 16)  # samples, then averages: a frame is 320 samples, so 50 frames per second
FRAME_RATE = RATE // (STRIDES[0] * STRIDES[1])
# ELU keeps what is louder than 1 and squares what is softer: so let 1 be 40 dB below full scale.
GAIN = 100.0
# Saturating units per band. Their scales spaced like this, their sum grows as a logarithm would.
# ASSUME: the partials that matter lie between 10 and 40 dB below full scale.
SATURATIONS = (0.1, 0.5, 2.5, 12.5)
KMEANS_CLIPS, KMEANS_FRAMES, KMEANS_ROUNDS = 80, 12_000, 12


def codec_config() -> EncodecConfig:
    """The architecture: 50 frames per second, 4 books of 64 codes, no residual blocks."""
    return EncodecConfig(
        sampling_rate=RATE,
        audio_channels=1,
        num_filters=BANDS,
        num_residual_layers=0,
        num_lstm_layers=1,
        upsampling_ratios=list(reversed(STRIDES)),
        kernel_size=383,
        last_kernel_size=1,
        hidden_size=BANDS,
        codebook_dim=BANDS,
        codebook_size=CODES,
        target_bandwidths=[float(CODEBOOKS * np.log2(CODES) * FRAME_RATE / 1000)],
        use_causal_conv=False,
    )


def fit_codec(clips: Tensor, seed: int) -> EncodecModel:
    """A codec whose loudness scales and books are fitted to clips [clip, time] at RATE.

    The first KMEANS_CLIPS of them are enough, so put clips of every kind first.
    """
    torch.manual_seed(seed)  # the decoder half
    codec = EncodecModel(codec_config()).eval()
    write_ear(codec)
    with torch.no_grad():
        frames = torch.cat([codec.encoder(part[:, None]) for part in clips[:KMEANS_CLIPS].split(8)])
        frames = standardise(codec, frames.transpose(1, 2).flatten(0, 1))
        fit_books(codec, frames, torch.Generator().manual_seed(seed))
    return codec


@torch.no_grad()
def encode(codec: EncodecModel, clips: Tensor) -> Tensor:
    """Tokens [clip, codebook, frame] of clips [clip, time]."""
    parts = [codec.encode(part[:, None]).audio_codes[0] for part in clips.split(8)]
    return torch.cat(parts)


@torch.no_grad()
def write_ear(codec: EncodecModel) -> None:
    """Fill the encoder's layers with the weights of the simple ear."""
    bank, _, fast, _, slow, memory, _, sums = codec.encoder.layers
    each_band = torch.eye(BANDS)

    bank.conv.weight = GAIN * band_pass(bank.conv.kernel_size[0])[:, None]
    # The channels double with every stride, so each band is first carried twice, ...
    fast.conv.weight = each_band.repeat(2, 1)[:, :, None] * bell(fast.conv.kernel_size[0])
    # ... then both feed one unit per saturation, where ELU(-x) = exp(-x) - 1 levels off.
    units = torch.cat([-factor / 2 * each_band.repeat(1, 2) for factor in SATURATIONS])
    slow.conv.weight = units[:, :, None] * bell(slow.conv.kernel_size[0])
    # An LSTM without weights adds nothing to what passes by it.
    for weight in memory.parameters():
        nn.init.zeros_(weight)
    sums.conv.weight = -each_band.repeat(1, len(SATURATIONS))[:, :, None]
    for layer in (bank, fast, slow, sums):
        nn.init.zeros_(layer.conv.bias)


def band_pass(size: int) -> Tensor:
    """Filters [band, tap]: cosines under bells, evenly spaced in mel, half overlapping."""
    mel = np.linspace(*(2595 * np.log10(1 + np.array([LOWEST, HIGHEST]) / 700)), BANDS)
    centre = 700 * (10 ** (mel / 2595) - 1)
    spread = np.gradient(centre) / 2  # Hz, one standard deviation
    time = (np.arange(size) - size // 2) / RATE
    bells = np.exp(-0.5 * (2 * np.pi * spread[:, None] * time) ** 2)
    filters = bells * np.cos(2 * np.pi * centre[:, None] * time)
    return torch.tensor(filters / bells.sum(1, keepdims=True), dtype=torch.float32)


def bell(size: int) -> Tensor:
    """A window [size] that averages."""
    window = torch.hann_window(size + 2, periodic=False)[1:-1]
    return window / window.sum()


def standardise(codec: EncodecModel, frames: Tensor) -> Tensor:
    """Fold mean 0, variance 1 over frames [frame, band] into the last layer; the new frames."""
    std, mean = torch.std_mean(frames, dim=0)
    last = codec.encoder.layers[-1].conv
    last.weight = last.weight / std[:, None, None]
    last.bias.copy_(-mean / std)
    return (frames - mean) / std


def fit_books(codec: EncodecModel, frames: Tensor, generator: torch.Generator) -> None:
    """Fill the code books, each from what the earlier ones leave of frames [frame, band]."""
    rest = frames[torch.randperm(len(frames), generator=generator)[:KMEANS_FRAMES]]
    for layer in codec.quantizer.layers:
        book = layer.codebook
        centres, nearest = kmeans(rest, CODES, generator)
        book.embed.copy_(centres)
        book.embed_avg.copy_(centres)
        book.cluster_size.copy_(torch.bincount(nearest, minlength=CODES))
        rest = rest - centres[nearest]


def kmeans(points: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres [count, dim] of points [point, dim], and each point's nearest centre [point]."""
    centres = points[torch.randperm(len(points), generator=generator)[:count]]
    for _ in range(KMEANS_ROUNDS):
        distance, nearest = torch.cdist(points, centres).min(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        sizes = torch.bincount(nearest, minlength=count)
        centres = sums / sizes.clamp(min=1)[:, None]
        # An empty centre moves to the point that is worst served.
        empty = torch.nonzero(sizes == 0)[:, 0]
        centres[empty] = points[distance.topk(len(empty)).indices]
    return centres, torch.cdist(points, centres).argmin(1)
