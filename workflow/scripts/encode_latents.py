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
from rasen.songs.ahead import read_ahead


def encode_latents(
    recordings: Path, songs: Path, settings: LatentSettings, device: str, at_once: int, code: str,
    ledger: Path,
) -> None:  # fmt: skip
    """Write latents.npy ([T, 64 means and 64 scales]) of each song, and the ledger.

    With `mono`, latents.mono.npy holds those of the mono mix, which SongBloom's public code takes
    for its prompts.

    at_once: chunks per forward pass on a GPU, of one song or several; on a CPU one is fastest
    """

    def read(song):
        sound, rate = recording.reread_recording(song.audio)
        return pad_to_frames(recording.to_stereo(sound, rate, SAMPLE_RATE), SAMPLE_RATE)

    def stream(vae, todo):
        batch = at_once if vae.device == "cuda" else 1
        mixes = (mix for sound in read_ahead(read, todo) for mix in _mixes(sound, settings.mono))
        return zip(*[vae.encode_all(mixes, batch=batch)] * len(names), strict=True)

    def work(encoded, song, folder):
        for moments, name in zip(encoded, names, strict=True):
            if isinstance(moments, Exception):
                raise moments
            np.save(folder / name, moments.astype(settings.dtype))
        return {"frames": len(encoded[0]), "vae": weights}

    def open_model():
        vae = open_vae(settings.model, pick_device(device))
        vae.set_precision(settings.precision)
        return vae

    names = [layout.LATENTS, layout.MONO][: 1 + settings.mono]
    weights = hashes.hash_folder(settings.model)
    version = asdict(settings) | {"weights": weights}
    runner = ledgers.BatchRunner("encode_latents", songs, code, version)
    todo = ledgers.passed(songs, recordings)
    parquet.write_table(runner.run(todo, work, open_model, stream), ledger)


def _mixes(sound, mono):
    """[sound] or, with `mono`, [sound, its mono mix on both channels]; an exception stays one."""
    if isinstance(sound, Exception) or not mono:
        return [sound] * (1 + mono)
    return [sound, np.repeat(sound.mean(axis=0, keepdims=True), len(sound), axis=0)]


if __name__ == "__main__":
    command.run(
        encode_latents, out_of_memory="set a lower `songs.latents.batch` or `songs.longest`"
    )
