"""The codec of nano: a genuine EncodecModel that turns sound into 4 tokens per frame.

Its encoder is not trained: its weights are set to a filter bank. The first convolution is a bank of
band-pass filters, the ELU after it rectifies, the strided convolutions average each band over a
frame, and the last ELU and convolution compress loudness roughly as a logarithm would. The code
books are then fitted to clips by residual k-means, so a token stands for a spectrum: pitches in a
timbre.

The decoder half stays random: nano's tokens are read by its language model and never decoded.
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
# ELU is linear above 1 and roughly quadratic below: 1 is 40 dB below full scale.
GAIN = 100.0
# Scales of the saturating units of each band, spaced such that their sum grows as a logarithm.
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
    set_filter_bank(codec)
    with torch.no_grad():
        batches = clips[:KMEANS_CLIPS].split(8)
        frames = torch.cat([codec.encoder(batch[:, None]) for batch in batches])
        frames = standardise(codec, frames.transpose(1, 2).flatten(0, 1))
        fit_books(codec, frames, torch.Generator().manual_seed(seed))
    return codec


@torch.no_grad()
def encode(codec: EncodecModel, clips: Tensor) -> Tensor:
    """Tokens [clip, codebook, frame] of clips [clip, time]."""
    return torch.cat([codec.encode(batch[:, None]).audio_codes[0] for batch in clips.split(8)])


@torch.no_grad()
def set_filter_bank(codec: EncodecModel) -> None:
    """Set the weights of the encoder's layers to the filter bank."""
    bank, _, fast, _, slow, lstm, _, sums = codec.encoder.layers
    identity = torch.eye(BANDS)  # band to band

    bank.conv.weight = GAIN * band_pass(bank.conv.kernel_size[0])[:, None]
    # The channels double with every stride: first each band is copied, ...
    window = averaging_window(fast.conv.kernel_size[0])
    fast.conv.weight = identity.repeat(2, 1)[:, :, None] * window
    # ... then both copies feed one unit per saturation, where ELU(-x) = exp(-x) - 1 levels off.
    units = torch.cat([-factor / 2 * identity.repeat(1, 2) for factor in SATURATIONS])
    window = averaging_window(slow.conv.kernel_size[0])
    slow.conv.weight = units[:, :, None] * window
    # An LSTM of zeros adds nothing to its skip connection.
    for weight in lstm.parameters():
        nn.init.zeros_(weight)
    sums.conv.weight = -identity.repeat(1, len(SATURATIONS))[:, :, None]
    for layer in (bank, fast, slow, sums):
        nn.init.zeros_(layer.conv.bias)


def band_pass(size: int) -> Tensor:
    """Filters [band, tap]: cosines times Gaussians, evenly spaced in mel, half overlapping."""
    lowest, highest = 2595 * np.log10(1 + np.array([LOWEST, HIGHEST]) / 700)
    mel = np.linspace(lowest, highest, BANDS)
    centre = 700 * (10 ** (mel / 2595) - 1)
    spread = np.gradient(centre) / 2  # Hz, one standard deviation
    time = (np.arange(size) - size // 2) / RATE
    gaussians = np.exp(-0.5 * (2 * np.pi * spread[:, None] * time) ** 2)
    filters = gaussians * np.cos(2 * np.pi * centre[:, None] * time)
    return torch.tensor(filters / gaussians.sum(1, keepdims=True), dtype=torch.float32)


def averaging_window(size: int) -> Tensor:
    """A Hann window [size] with unit sum."""
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
    """Fit each code book to the residual of the earlier ones on frames [frame, band]."""
    residual = frames[torch.randperm(len(frames), generator=generator)[:KMEANS_FRAMES]]
    for layer in codec.quantizer.layers:
        book = layer.codebook
        centres, nearest = kmeans(residual, CODES, generator)
        book.embed.copy_(centres)
        book.embed_avg.copy_(centres)
        book.cluster_size.copy_(torch.bincount(nearest, minlength=CODES))
        residual = residual - centres[nearest]


def kmeans(points: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres [count, dim] of points [point, dim], and each point's nearest centre [point]."""
    centres = points[torch.randperm(len(points), generator=generator)[:count]]
    for _ in range(KMEANS_ROUNDS):
        distance, nearest = torch.cdist(points, centres).min(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        sizes = torch.bincount(nearest, minlength=count)
        centres = sums / sizes.clamp(min=1)[:, None]
        # Empty centres move to the points farthest from their centre.
        empty = torch.nonzero(sizes == 0)[:, 0]
        centres[empty] = points[distance.topk(len(empty)).indices]
    return centres, torch.cdist(points, centres).argmin(1)
