"""The stable-audio VAE: stereo sound at 48 kHz to 64 latents, 25 times per second, and back.

    vae = open_vae("resources/models/vae", device="cuda")
    mean, scale = vae.encode(sound)                 # sound [2, time] at 48 kHz -> [T, 64] each
    sound = vae.decode(sample_latents(mean, scale, seed=0))

The encoder gives a distribution, from which stable-audio-tools draws anew at every call; here both
its moments are kept, and a sample is drawn only by `sample_latents`, from a seed. The network runs
in diffusers; checkpoints may come from either library (`oobleck`).

A song is coded in chunks. Each is extended by its receptive field on both sides, so that chunking
changes rounding errors only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.networks.frames import LATENT_CHANNELS, PATCH, overlapping_windows
from rasen.networks.oobleck import HOP, open_oobleck
from rasen.networks.precision import Precision, float_type
from rasen.networks.windowed import over_windows
from rasen.seeds import generator


@dataclass(frozen=True)
class LatentSettings:
    """Which VAE, the number format of its latents on disk, and the arithmetic (`precision`).

    mono: whether the mono mix is encoded, too
    `songs.latents` of the config
    """

    model: str
    dtype: Literal["float16", "float32"]
    precision: Precision
    mono: bool

    def __post_init__(self) -> None:
        if self.dtype not in ("float16", "float32"):
            raise RasenError(
                f"songs.latents.dtype: '{self.dtype}' is not known; give float16 or float32"
            )


class Vae:
    """An opened VAE; encoder_margin, decoder_margin: frames that the receptive field adds."""

    def __init__(self, net: torch.nn.Module, device: str) -> None:
        self.dtype = torch.float32  # in which the encoder runs (autocast)
        self.net = net.to(device)
        self.device = device
        first, last = receptive_field(net.encoder, 0, 0)
        self.encoder_margin = -(min(first, HOP - 1 - last) // HOP)
        first, last = receptive_field(net.decoder, 0, HOP - 1)
        self.decoder_margin = max(-first, last)

    def encode(
        self, sound: np.ndarray, chunk: int = 128, batch: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and scale (standard deviation), [T, 64] float32 each, of sound [2, time] at 48 kHz.

        The sound must be whole frames long.
        chunk, batch: frames kept per chunk, and chunks per forward pass (for a GPU)
        """
        moments = next(self.encode_all([sound], chunk, batch))
        return moments[:, :LATENT_CHANNELS], moments[:, LATENT_CHANNELS:]

    def encode_all(
        self, sounds: Iterable[np.ndarray | Exception], chunk: int = 128, batch: int = 1
    ) -> Iterator[Any]:
        """[T, 64 means and 64 scales] of each sound; an exception among them stays."""

        def windows_of(total):
            size = chunk + 2 * self.encoder_margin
            return overlapping_windows(total, size, self.encoder_margin), min(total, size)

        checked = map(_whole_frames, sounds)
        return over_windows(self._moments, checked, windows_of, HOP, 2 * LATENT_CHANNELS, batch)

    def set_precision(self, precision: Precision) -> None:
        """Choose the arithmetic of the encoder; see `float_type`."""

        def trial(dtype):
            self.dtype = dtype
            self._moments(torch.zeros(1, 2, PATCH * HOP))

        self.dtype = float_type(precision, trial)

    @torch.inference_mode()
    def _moments(self, chunks):
        """Means and scales [batch, size, 128] of chunks [batch, 2, time]."""
        half = self.dtype != torch.float32
        with torch.autocast(torch.device(self.device).type, dtype=self.dtype, enabled=half):
            raw = self.net.encoder(chunks.to(self.device)).mT.float().cpu()
        mean, scale = raw.split(LATENT_CHANNELS, dim=2)
        return torch.cat([mean, torch.nn.functional.softplus(scale) + 1e-4], dim=2)

    @torch.inference_mode()
    def decode(self, latents: np.ndarray, chunk: int = 128, batch: int = 1) -> np.ndarray:
        """Sound [2, time] float32 at 48 kHz of latents [T, 64]."""
        latents = torch.as_tensor(np.asarray(latents, dtype=np.float32))
        if latents.ndim != 2 or latents.shape[1] != LATENT_CHANNELS or not len(latents):
            raise ValueError(f"latents {tuple(latents.shape)}: give [frames, {LATENT_CHANNELS}]")
        total = len(latents)
        sound = np.empty((2, total * HOP), dtype=np.float32)
        for rows, size in _batches(total, chunk, self.decoder_margin, batch):
            chunks = [latents[start : start + size].T for start, _, _ in rows]
            decoded = self.net.decoder(torch.stack(chunks).to(self.device)).cpu()
            for values, (start, first, last) in zip(decoded, rows, strict=True):
                kept = slice((first - start) * HOP, (last - start) * HOP)
                sound[:, first * HOP : last * HOP] = values[:, kept]
        return sound


def _whole_frames(sound):
    if isinstance(sound, Exception):
        return sound
    shape = np.shape(sound)
    if len(shape) != 2 or shape[0] != 2 or not shape[1] or shape[1] % HOP:
        raise ValueError(f"sound {shape}: give stereo, whole frames of {HOP} long")
    return sound


def open_vae(path: Path | str, device: str = "cpu", weights: Path | str | None = None) -> Vae:
    """A Vae from a config JSON with a .ckpt or .safetensors beside it, or a diffusers folder.

    weights: the checkpoint, where several lie beside the JSON
    """
    return Vae(open_oobleck(path, weights).eval(), device)


def sample_latents(mean: np.ndarray, scale: np.ndarray, seed: int, *names: str | int) -> np.ndarray:
    """A sample [T, 64] of the distribution; equal seed and names (of the song) give equal ones.

    Public API for users of the latents: no stage calls it.
    """
    noise = generator(seed, "latents", *names).standard_normal(mean.shape, dtype=np.float32)
    return mean + scale * noise


def receptive_field(stack: torch.nn.Module, first: int, last: int) -> tuple[int, int]:
    """The inputs (first, last) that the outputs first..last of a stack of convolutions depend on.

    From the last convolution to the first: output o of a convolution reads the inputs
    o s - p ... o s - p + (k - 1) d, and input i of a transposed one adds to the outputs
    i s - p ... i s - p + k - 1 (k kernel size, s stride, p padding, d dilation).
    """
    for layer in reversed(list(stack.modules())):
        if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            (k,), (s,), (p,), (d,) = layer.kernel_size, layer.stride, layer.padding, layer.dilation
        if isinstance(layer, torch.nn.Conv1d):
            first, last = first * s - p, last * s - p + (k - 1) * d
        elif isinstance(layer, torch.nn.ConvTranspose1d):
            first, last = -((k - 1 - p - first) // s), (last + p) // s
    return first, last


def _batches(
    total: int, chunk: int, margin: int, batch: int
) -> Iterator[tuple[list[tuple[int, int, int]], int]]:
    """The windows of a song, `batch` at a time, and how long each is.

    chunk: the frames kept of a window; the margins are added to them.
    """
    size = chunk + 2 * margin
    rows = overlapping_windows(total, size, margin)
    for begin in range(0, len(rows), batch):
        yield rows[begin : begin + batch], min(size, total)
