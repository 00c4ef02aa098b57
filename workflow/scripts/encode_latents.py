"""Acoustic latents of every song of a batch, with the frames of the sketch."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.networks.frames import pad_to_frames
from rasen.networks.oobleck import SAMPLE_RATE
from rasen.networks.vae import LatentSettings, open_vae
from rasen.songs import layout, recording
from rasen.songs import ledger as ledgers


def encode_latents(
    recordings: Path, songs: Path, settings: LatentSettings, device: str, code: str, ledger: Path
) -> None:
    """Write latents.npy ([T, 64 means and 64 scales]) of each song, and the ledger."""

    def work(vae, song, folder):
        sound, rate = recording.reread_recording(song.audio)
        sound = recording.to_stereo(sound, rate, SAMPLE_RATE)
        mean, scale = vae.encode(pad_to_frames(sound, SAMPLE_RATE))
        np.save(folder / layout.LATENTS, np.hstack([mean, scale]).astype(settings.dtype))
        return {"frames": len(mean)}

    def open_model():
        return open_vae(settings.model, pick_device(device))

    version = asdict(settings) | {"weights": hashes.hash_folder(settings.model)}
    runner = ledgers.BatchRunner("encode_latents", songs, code, version)
    todo = ledgers.passed(songs, recordings)
    parquet.write_table(runner.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(encode_latents, out_of_memory="set a lower `songs.longest`")
