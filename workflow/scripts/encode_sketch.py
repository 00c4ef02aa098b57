"""Sketch tokens of every song of a batch, 25 per second."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from rasen import command
from rasen.device import pick_device
from rasen.errors import RasenError
from rasen.io import hashes, parquet
from rasen.networks.codebook import load_codebook, nearest_codes
from rasen.networks.frames import pad_to_frames
from rasen.networks.muq import SAMPLE_RATE, EncodingSettings, open_muq
from rasen.songs import layout, recording
from rasen.songs import ledger as ledgers
from rasen.songs.ahead import read_ahead


def encode_sketch(
    recordings: Path, codebook: Path, songs: Path, settings: EncodingSettings, device: str,
    at_once: int, code: str, ledger: Path,
) -> None:  # fmt: skip
    """Write sketch.npy (uint16 [T]) of each song, and the ledger.

    at_once: windows per forward pass on a GPU, of one song or several; on a CPU one is fastest
    """
    codes = load_codebook(codebook)
    layer = int(codes.metadata.get("layer", settings.layer))
    if layer != settings.layer:
        raise RasenError(
            f"{codebook}: is of layer {layer}, songs.sketch.layer is {settings.layer}; "
            "make them agree"
        )

    def read(song):
        sound, rate = recording.reread_recording(song.audio)
        return pad_to_frames(recording.to_mono(sound, rate, SAMPLE_RATE), SAMPLE_RATE)

    def stream(muq, todo):
        batch = at_once if muq.device.type == "cuda" else 1
        return muq.embed_all(read_ahead(read, todo), settings.layer, settings.window, batch=batch)

    def work(states, song, folder):
        sketch = nearest_codes(codes, states, device=pick_device(device))
        np.save(folder / layout.SKETCH, sketch)
        used = len(np.unique(sketch))
        return {"frames": len(sketch), "codes": used, "codebook": book[:16]}

    def open_model():
        muq = open_muq(settings.model, pick_device(device))
        muq.set_precision(settings.precision)
        return muq

    book = hashes.hash_file(codebook)
    version = asdict(settings) | {
        "codes": book,
        "weights": hashes.hash_folder(settings.model),
    }
    runner = ledgers.BatchRunner("encode_sketch", songs, code, version)
    todo = ledgers.passed(songs, recordings)
    parquet.write_table(runner.run(todo, work, open_model, stream), ledger)


if __name__ == "__main__":
    command.run(
        encode_sketch, out_of_memory="set a lower `songs.sketch.batch` or `songs.sketch.window`"
    )
