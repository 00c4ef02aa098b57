"""Sketch tokens of every song of a batch, 25 per second."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from rasen import command
from rasen.device import pick_device
from rasen.errors import RasenError
from rasen.io import hashes, parquet
from rasen.networks.frames import pad_to_frames
from rasen.networks.muq import SAMPLE_RATE, EmbeddingSettings, open_muq
from rasen.songs import layout, recording
from rasen.songs import ledger as ledgers
from rasen.songs.codebook import load_codebook, nearest_codes


def encode_sketch(
    recordings: Path, codebook: Path, songs: Path, settings: EmbeddingSettings, device: str,
    code: str, ledger: Path,
) -> None:  # fmt: skip
    """Write sketch.npy (uint16 [T]) of each song, and the ledger."""
    codes = load_codebook(codebook)
    layer = int(codes.metadata.get("layer", settings.layer))
    if layer != settings.layer:
        raise RasenError(
            f"{codebook}: is of layer {layer}, songs.sketch.layer is {settings.layer}; "
            "make them agree"
        )

    def work(muq, song, folder):
        sound, rate = recording.reread_recording(song.audio)
        sound = pad_to_frames(recording.to_mono(sound, rate, SAMPLE_RATE), SAMPLE_RATE)
        states = muq.embed(sound, settings.layer, settings.window)
        sketch = nearest_codes(codes, states, device=pick_device(device))
        np.save(folder / layout.SKETCH, sketch)
        return {"frames": len(sketch), "codes": len(np.unique(sketch))}

    def open_model():
        return open_muq(settings.model, pick_device(device))

    version = asdict(settings) | {
        "codes": hashes.hash_file(codebook),
        "weights": hashes.hash_folder(settings.model),
    }
    runner = ledgers.BatchRunner("encode_sketch", songs, code, version)
    todo = ledgers.passed(songs, recordings)
    parquet.write_table(runner.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(encode_sketch, out_of_memory="set a lower `songs.sketch.window`")
