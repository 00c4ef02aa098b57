"""Embed every song that is to be scored: by MuQ for FAD, by MuQ-MuLan for MCC."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from rasen import command
from rasen.device import pick_device
from rasen.io import hashes, parquet
from rasen.networks.frames import FRAME_RATE, pad_to_frames
from rasen.networks.mulan import open_mulan
from rasen.networks.muq import SAMPLE_RATE, open_muq
from rasen.songs import recording, scored
from rasen.songs.ledger import BatchRunner, passed


def embed_scored(
    recordings: Path, songs: Path, settings: scored.EmbeddingSettings, device: str, code: str,
    ledger: Path,
) -> None:  # fmt: skip
    """Write embedding.npy [n, d], prompt.npy [e] and text.npy [e] of each song, and the ledger."""

    def open_models():
        where = pick_device(device)
        muq = open_muq(settings.muq, where) if settings.muq else None
        return muq, settings.mulan and open_mulan(
            settings.mulan, settings.mulan_audio, settings.mulan_text, where
        )

    def work(models, song, folder):
        muq, mulan = models
        sound, rate = recording.reread_recording(song.audio)
        sound = recording.to_mono(sound, rate, SAMPLE_RATE)
        if muq:
            states = muq.embed(pad_to_frames(sound, SAMPLE_RATE), settings.layer, settings.window)
            rows = scored.mean_rows(states, round(settings.seconds * FRAME_RATE))
            np.save(folder / scored.FRAMES, rows)
        if mulan:
            np.save(folder / scored.PROMPT, mulan.embed_audio(sound))
            if song.text:
                np.save(folder / scored.TEXT, mulan.embed_text(song.text))

    folders = [settings.muq, settings.mulan, settings.mulan_audio, settings.mulan_text]
    version = asdict(settings) | {path: hashes.hash_folder(path) for path in folders if path}
    todo = passed(songs, recordings)
    todo["key"] += todo["text"]
    runner = BatchRunner("embed_scored", songs, code, version)
    parquet.write_table(runner.run(todo, work, open_models), ledger)


if __name__ == "__main__":
    command.run(embed_scored, out_of_memory="set a lower `songs.sketch.window`")
