"""Train the codebook of the sketch on a sample of the corpus."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.atomic import write_text
from rasen.networks.codebook import save_codebook
from rasen.networks.frames import FRAME_RATE, pad_to_frames
from rasen.networks.muq import SAMPLE_RATE, open_muq
from rasen.songs import codebook as codebooks
from rasen.songs.recording import reread_recording, to_mono
from rasen.songs.sample import sample_windows


def train_codebook(
    recordings: Path, settings: codebooks.SketchSettings, seed: int, device: str,
    codebook: Path, report: Path,
) -> None:  # fmt: skip
    """Write the codebook, and a report: held-out error, dead codes, entropy."""
    windows = sample_windows(parquet.read_table(recordings), settings.sample, settings.window, seed)
    muq = open_muq(settings.model, pick_device(device))
    vectors: dict[bool, list[np.ndarray]] = {True: [], False: []}  # held out or not
    for audio, rows in tqdm(list(windows.groupby("audio")), "embedding", disable=None):
        sound = to_mono(*reread_recording(audio), SAMPLE_RATE)
        for row in rows.itertuples(index=False):
            start, length = round(row.start * SAMPLE_RATE), round(row.seconds * SAMPLE_RATE)
            padded = pad_to_frames(sound[start:][:length], SAMPLE_RATE)
            states = muq.embed(padded, settings.layer, settings.window)
            vectors[row.held_out].append(states[: round(row.seconds * FRAME_RATE)])
    trained, contents = codebooks.train_codebook(
        np.concatenate(vectors[False]), np.concatenate(vectors[True]), settings.codes,
        settings.iterations, seed, settings.method, pick_device(device),
        {"model": settings.model, "layer": settings.layer},
    )  # fmt: skip
    save_codebook(trained, codebook)
    contents |= {"songs": len(windows["song"].unique()), "layer": settings.layer}
    write_text(report, json.dumps(contents, indent=1) + "\n")


if __name__ == "__main__":
    command.run(
        train_codebook,
        out_of_memory="set a lower `songs.sketch.window` or `songs.sketch.sample`",
    )
