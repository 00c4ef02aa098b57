"""Sketch tokens of every song of a batch, 25 a second."""

from pathlib import Path

import numpy as np

from rasen import command
from rasen.device import pick_device
from rasen.errors import RasenError
from rasen.io import hashes, parquet
from rasen.networks import frames, muq
from rasen.songs import codebook as codebooks
from rasen.songs import ledger as ledgers
from rasen.songs import recording


def encode_sketch(
    recordings: Path, codebook: Path, songs: Path, settings: dict, device: str, code: str,
    ledger: Path,
):  # fmt: skip
    """Write sketch.npy (uint16 [T]) of each song, and the ledger."""
    book = codebooks.load(codebook)
    layer = int(book.metadata.get("layer", settings["layer"]))
    if layer != settings["layer"]:
        raise RasenError(
            f"{codebook}: is of layer {layer}, songs.sketch.layer is {settings['layer']}; "
            "make them agree"
        )

    def work(model, song, folder):
        sound = recording.mono(*recording.reread_recording(song.audio), muq.RATE)
        states = model.embed(frames.pad(sound, muq.RATE), settings["layer"], settings["window"])
        sketch = codebooks.nearest(book, states, device=pick_device(device))
        np.save(folder / "sketch.npy", sketch)
        return {"frames": len(sketch), "codes": len(np.unique(sketch))}

    def open_model():
        return muq.open_muq(settings["model"], pick_device(device))

    version = settings | {
        "codes": hashes.hash_file(codebook),
        "weights": hashes.hash_folder(settings["model"]),
    }
    stage = ledgers.BatchRunner("encode_sketch", songs, code, version)
    todo = ledgers.passed(songs, recordings)
    parquet.write_table(stage.run(todo, work, open_model), ledger)


if __name__ == "__main__":
    command.run(encode_sketch)
