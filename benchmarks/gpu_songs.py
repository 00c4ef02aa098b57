"""MuQ and the VAE of the song stages at their real sizes, on one device: part of make bench-gpu.

    $(workflow/install songs) benchmarks/gpu_songs.py [--size large|tiny] [--device cuda|cpu]

Weights are random. A song goes in as the stages give it; the bare network gets windows that lie on
the device already and do not overlap.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow/scripts")]

import numpy as np
import torch
from rows import Rows, add_peak, add_waits, in_turn, tf32

from rasen.device import pick_device

WORK = HERE / "work"
SIZES = {"large": 240.0, "tiny": 8.0}  # seconds of the song
MUQ = {"conv_dim": 512, "encoder_dim": 1024, "encoder_depth": 12, "codebook_size": 8192}
CONFORMER = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
    "num_hidden_layers": 12, "num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16,
}  # fmt: skip
CHANNELS = 128  # of the VAE
BATCHES = (1, 8)  # windows at once; the stages take one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="large", choices=SIZES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--rows", type=Path, help="append the rows to this file, as JSON lines")
    chosen = parser.parse_args()
    device, rows = pick_device(chosen.device), Rows(chosen.rows)
    with rows.attempt("MuQ"):
        muq_rows(rows, chosen.size, device, chosen.repeats)
    with rows.attempt("VAE"):
        vae_rows(rows, chosen.size, device, chosen.repeats)


def muq_rows(rows: Rows, size: str, device: str, repeats: int) -> None:
    """Hidden states of a song, in float32 and bfloat16."""
    from rasen.networks.muq import SAMPLE_RATE, open_muq
    from rasen.songs.demo import models

    folder = WORK / f"muq-{size}"
    if not (folder / "config.json").exists():  # written last
        real = models.MUQ | MUQ | {"w2v2_config": models.MUQ["w2v2_config"] | CONFORMER}
        models.make_muq(folder, 0, real if size == "large" else models.MUQ)
    length = SIZES[size]
    window = min(30.0, length / 2)
    margin = window / 15  # 2 s of 30
    sound = noise(1, length, SAMPLE_RATE)[0]
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        with rows.attempt(f"MuQ, {name}"):
            muq = open_muq(folder, device, dtype)
            layer = muq.layers
            cuts = torch.from_numpy(sound).view(-1, round(window * SAMPLE_RATE)).to(device)

            def bare(muq=muq, cuts=cuts, layer=layer):
                for cut in cuts.split(1):
                    muq.hidden(cut, layer)

            ways = [
                lambda batch=batch, muq=muq, layer=layer: muq.embed(
                    sound, layer, window, margin, batch
                )
                for batch in BATCHES
            ]
            plain, *ours = in_turn(repeats, bare, *ways)
            for batch, taken in zip(BATCHES, ours, strict=True):
                what = f"MuQ, {name}, windows at once: {batch}"
                rows.add(what, length / taken, "s/s")
                rows.add(f"{what}; speed / bare network", plain / taken)
            add_peak(rows, f"MuQ, {name}: peak on the GPU", ways[-1])
            add_waits(rows, f"MuQ, {name}: waits for the GPU per song", ways[0])


def vae_rows(rows: Rows, size: str, device: str, repeats: int) -> None:
    """Latents of a song; what TF32, which torch allows in convolutions, gives and costs."""
    from rasen.networks.oobleck import SAMPLE_RATE
    from rasen.networks.vae import open_vae
    from rasen.songs.demo import models

    folder = WORK / f"vae-{size}"
    if not (folder / "vae.safetensors").exists():
        models.make_vae(folder, 0, CHANNELS if size == "large" else 8)
    vae = open_vae(folder, device)
    length, chunk = SIZES[size], 128
    sound = noise(2, length, SAMPLE_RATE)
    pieces = torch.from_numpy(sound).to(device).split(chunk * 1920, dim=1)

    @torch.inference_mode()
    def bare():
        for piece in pieces:
            vae.net.encoder(piece[None])

    ways = [lambda batch=batch: vae.encode(sound, chunk, batch) for batch in BATCHES]
    plain, *ours = in_turn(repeats, bare, *ways)
    for batch, taken in zip(BATCHES, ours, strict=True):
        rows.add(f"VAE, chunks at once: {batch}", length / taken, "s/s")
        rows.add(f"VAE, chunks at once: {batch}; speed / bare network", plain / taken)
    add_peak(rows, "VAE: peak on the GPU", ways[-1])
    add_waits(rows, "VAE: waits for the GPU per song", ways[0])

    def without():
        with tf32(False):
            return vae.encode(sound, chunk, BATCHES[-1])

    (exact,) = in_turn(repeats, without)
    rows.add("VAE: speed with TF32 in convolutions / without", exact / ours[-1])
    mean, other = ways[-1]()[0], without()[0]
    change = np.linalg.norm(mean - other) / np.linalg.norm(other)
    rows.add("VAE: change of the means by TF32 (of the norm)", float(change))


def noise(channels: int, length: float, rate: int) -> np.ndarray:
    """Noise [channels, time], float32."""
    rng = np.random.default_rng(0)
    return 0.1 * rng.standard_normal((channels, round(length * rate)), dtype=np.float32)


if __name__ == "__main__":
    main()
