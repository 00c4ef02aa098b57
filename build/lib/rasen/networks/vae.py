"""The stable-audio VAE: stereo sound at 48 kHz to 64 latents, 25 times a second, and back.

    vae = open_vae("resources/models/vae", device="cuda")
    mean, scale = vae.encode(sound)                 # sound [2, time] at 48 kHz -> [T, 64] each
    sound = vae.decode(draw(mean, scale, seed=0))

The encoder gives a distribution, from which stable-audio-tools draws anew at every call; here both
its moments are kept, and a sample is drawn only by `draw`, from a seed. The network runs in
diffusers; checkpoints may come from either library (`oobleck`).

A song is coded in chunks. Each has as many frames beside it as the convolutions can see, so that
chunking changes nothing but the last digits.
"""

import numpy as np
import torch

from rasen.networks.frames import windows
from rasen.networks.oobleck import HOP, LATENT, open_oobleck
from rasen.seeds import generator


class Vae:
    """An opened VAE; encoder_margin and decoder_margin: the frames its convolutions see."""

    def __init__(self, net, device):
        self.net = net.to(device)
        self.device = device
        first, last = reach(net.encoder, 0, 0)
        self.encoder_margin = -(min(first, HOP - 1 - last) // HOP)
        first, last = reach(net.decoder, 0, HOP - 1)
        self.decoder_margin = max(-first, last)

    @torch.inference_mode()
    def encode(self, sound, chunk=128, batch=1):
        """Mean and scale (standard deviation), [T, 64] float32 each, of sound [2, time] at 48 kHz.

        The sound must be whole frames long.
        chunk, batch: frames coded at once, and how many such chunks at once (for a GPU)
        """
        sound = torch.as_tensor(np.asarray(sound, dtype=np.float32))
        if sound.ndim != 2 or len(sound) != 2 or not sound.shape[1] or sound.shape[1] % HOP:
            raise ValueError(f"sound {tuple(sound.shape)}: give stereo, whole frames of {HOP} long")
        total = sound.shape[1] // HOP
        out = np.empty((2, total, LATENT), dtype=np.float32)
        for rows, size in _batches(total, chunk, self.encoder_margin, batch):
            cuts = [sound[:, start * HOP : (start + size) * HOP] for start, _, _ in rows]
            raw = self.net.encoder(torch.stack(cuts).to(self.device)).mT.cpu()  # [b, size, 128]
            for values, (start, first, last) in zip(raw, rows, strict=True):
                mean, scale = values[first - start : last - start].split(LATENT, dim=1)
                out[0, first:last] = mean
                out[1, first:last] = torch.nn.functional.softplus(scale) + 1e-4
        return out[0], out[1]

    @torch.inference_mode()
    def decode(self, latents, chunk=128, batch=1):
        """Sound [2, time] float32 at 48 kHz of latents [T, 64]."""
        latents = torch.as_tensor(np.asarray(latents, dtype=np.float32))
        if latents.ndim != 2 or latents.shape[1] != LATENT or not len(latents):
            raise ValueError(f"latents {tuple(latents.shape)}: give [frames, {LATENT}]")
        total = len(latents)
        out = np.empty((2, total * HOP), dtype=np.float32)
        for rows, size in _batches(total, chunk, self.decoder_margin, batch):
            cuts = [latents[start : start + size].T for start, _, _ in rows]
            sound = self.net.decoder(torch.stack(cuts).to(self.device)).cpu()
            for values, (start, first, last) in zip(sound, rows, strict=True):
                out[:, first * HOP : last * HOP] = values[
                    :, (first - start) * HOP : (last - start) * HOP
                ]
        return out


def open_vae(path, device="cpu", weights=None):
    """A Vae from a config JSON with a .ckpt or .safetensors beside it, or a diffusers folder.

    weights: the checkpoint, where several lie beside the JSON
    """
    return Vae(open_oobleck(path, weights).eval(), device)


def draw(mean, scale, seed, *names):
    """A sample [T, 64] of the distribution; equal seed and names (of the song) give equal ones."""
    noise = generator(seed, "latents", *names).standard_normal(mean.shape, dtype=np.float32)
    return mean + scale * noise


def reach(stack, first, last):
    """The inputs (first, last) that the outputs first..last of a stack of convolutions depend on.

    The convolutions are walked back from the last; each output o of one sees the inputs
    o s - p ... o s - p + (k - 1) d, each input i of a transposed one feeds i s - p ... + k - 1.
    """
    for layer in reversed(list(stack.modules())):
        if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            (k,), (s,), (p,), (d,) = layer.kernel_size, layer.stride, layer.padding, layer.dilation
        if isinstance(layer, torch.nn.Conv1d):
            first, last = first * s - p, last * s - p + (k - 1) * d
        elif isinstance(layer, torch.nn.ConvTranspose1d):
            first, last = -((k - 1 - p - first) // s), (last + p) // s
    return first, last


def _batches(total, chunk, margin, batch):
    """The windows of a song, `batch` at a time, and how long each is.

    chunk: the frames kept of a window; the margins come on top.
    """
    size = chunk + 2 * margin
    rows = windows(total, size, margin)
    for at in range(0, len(rows), batch):
        yield rows[at : at + batch], min(size, total)
