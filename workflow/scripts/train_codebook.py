"""Train the codebook of the sketch on a sample of the corpus."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.atomic import write_text
from rasen.networks import frames, muq
from rasen.songs import codebook as codebooks
from rasen.songs import recording, sample


def train_codebook(
    recordings: Path, settings: dict, seed: int, device: str, codebook: Path, report: Path
):
    """Write the codebook and what it is like: held-out error, dead codes, entropy."""
    cuts = sample.cuts(parquet.read_table(recordings), settings["sample"], settings["window"], seed)
    model = muq.open_muq(settings["model"], pick_device(device))
    parts = {True: [], False: []}
    for audio, moments in tqdm(list(cuts.groupby("audio")), "listening", disable=None):
        sound = recording.mono(*recording.reread_recording(audio), muq.RATE)
        for cut in moments.itertuples(index=False):
            part = sound[round(cut.start * muq.RATE) :][: round(cut.seconds * muq.RATE)]
            states = model.embed(frames.pad(part, muq.RATE), settings["layer"], settings["window"])
            parts[cut.held_out].append(states[: round(cut.seconds * frames.RATE)])
    book, told = codebooks.train(
        np.concatenate(parts[False]), np.concatenate(parts[True]), settings["codes"],
        settings["iterations"], seed, settings["method"], pick_device(device),
        {"model": settings["model"], "layer": settings["layer"]},
    )  # fmt: skip
    codebooks.save(book, codebook)
    told |= {"songs": len(cuts["song"].unique()), "layer": settings["layer"]}
    write_text(report, json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    command.run(train_codebook)
