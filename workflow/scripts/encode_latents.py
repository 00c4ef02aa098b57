"""Acoustic latents of every song of a batch, in step with the sketch."""

from pathlib import Path

import numpy as np

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.networks import frames, oobleck, vae
from rasen.songs import ledger as ledgers
from rasen.songs import recording


def encode_latents(
    recordings: Path, songs: Path, settings: dict, device: str, code: str, ledger: Path
):
    """Write latents.npy ([T, 64 means and 64 scales]) of each song, and the ledger."""

    def work(model, song, folder):
        sound = recording.stereo(*recording.reread_recording(song.audio), oobleck.RATE)
        mean, scale = model.encode(frames.pad(sound, oobleck.RATE))
        np.save(folder / "latents.npy", np.hstack([mean, scale]).astype(settings["dtype"]))
        return {"frames": len(mean)}

    def open_model():
        return vae.open_vae(settings["model"], pick_device(device))

    weights = {"weights": hashes.hash_folder(settings["model"])}
    stage = ledgers.BatchRunner("encode_latents", songs, code, settings | weights)
    todo = ledgers.passed(songs, recordings)
    parquet.write_table(stage.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(encode_latents)
