"""Acoustic latents of every song of a batch, in step with the sketch."""

from pathlib import Path

import numpy as np

from rasen import command, fingerprint, tables
from rasen.device import pick_device
from rasen.songs import frames, oobleck, recording, vae
from rasen.songs import ledger as ledgers


def encode_latents(
    recordings: Path, songs: Path, settings: dict, device: str, code: str, ledger: Path
):
    """Write latents.npy ([T, 64 means and 64 scales]) of each song, and the ledger."""

    def work(model, song, folder):
        sound = recording.stereo(*recording.read_again(song.audio), oobleck.RATE)
        mean, scale = model.encode(frames.pad(sound, oobleck.RATE))
        np.save(folder / "latents.npy", np.hstack([mean, scale]).astype(settings["dtype"]))
        return {"frames": len(mean)}

    def open_model():
        return vae.open_vae(settings["model"], pick_device(device))

    weights = {"weights": fingerprint.weights(settings["model"])}
    stage = ledgers.Stage("encode_latents", songs, code, settings | weights)
    todo = ledgers.survivors(songs, recordings)
    tables.write(stage.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(encode_latents)
