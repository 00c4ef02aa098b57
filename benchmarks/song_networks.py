"""MuQ and the VAE at real sizes as the song stages run them: share of the bare networks' time.

    .envs/songs/bin/python benchmarks/song_networks.py [--size large|tiny]

CPU, one thread, random weights. A stage reads recordings (FLAC, 44.1 kHz), resamples, cuts, encodes
and joins, wall time; the bare network gets the same windows as tensors. Decoding has a thread, so
two processors are needed to see it overlap.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow/scripts")]

import numpy as np
import soundfile
import torch
from gpu_songs import CHANNELS, CONFORMER, MUQ, WORK, noise

from rasen.networks import muq as muqs
from rasen.networks import oobleck
from rasen.networks.frames import pad_to_frames
from rasen.networks.vae import open_vae
from rasen.songs import recording
from rasen.songs.ahead import read_ahead
from rasen.songs.demo import models

SIZES = {"large": (30.0, 11.0), "tiny": (8.0, 4.0)}  # seconds of each song, for MuQ and for the VAE
SONGS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="large", choices=SIZES)
    size = parser.parse_args().size
    torch.set_num_threads(1)
    muq_folder, vae_folder = WORK / f"muq-{size}", WORK / f"vae-{size}"
    if not (muq_folder / "config.json").exists():
        real = models.MUQ | MUQ | {"w2v2_config": models.MUQ["w2v2_config"] | CONFORMER}
        models.make_muq(muq_folder, 0, real if size == "large" else models.MUQ)
    if not (vae_folder / "vae.safetensors").exists():
        models.make_vae(vae_folder, 0, CHANNELS if size == "large" else 8)
    muq, vae = muqs.open_muq(muq_folder), open_vae(vae_folder)
    share("MuQ", SIZES[size][0], muqs.SAMPLE_RATE, recording.to_mono, muq, "hidden",
          lambda sounds: muq.embed_all(sounds, muq.layers))  # fmt: skip
    share("VAE", SIZES[size][1], oobleck.SAMPLE_RATE, recording.to_stereo, vae, "_moments",
          vae.encode_all)  # fmt: skip


def share(name, seconds, rate, convert, model, method, encode):
    """Print the bare network's time as a share of the stage's, over the same windows."""
    network, seen = getattr(model, method), []

    def recorded(cuts, *arguments):
        seen.append((cuts, *arguments))
        return network(cuts, *arguments)

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.flac" for number in range(SONGS)]
        for path in paths:
            soundfile.write(path, noise(2, seconds, 44100).T, 44100)

        def read(path):
            return pad_to_frames(convert(*recording.read_recording(path), rate), rate)

        setattr(model, method, recorded)
        start = time.perf_counter()
        results = list(encode(read_ahead(read, paths)))
        whole = time.perf_counter() - start
    assert all(isinstance(result, np.ndarray) for result in results)
    start = time.perf_counter()
    for arguments in seen:
        network(*arguments)
    bare = time.perf_counter() - start
    print(f"{name}: {SONGS * seconds:g} s of sound in {whole:.1f} s, bare network {bare:.1f} s: "
          f"{bare / whole:.2f} (target 0.80)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
