"""Generated latents as songs to listen to, and the sheet by which they are scored."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.device import pick_device
from rasen.errors import RasenError
from rasen.io import hashes, hdf5
from rasen.io.atomic import write_text
from rasen.io.audio import write_flac
from rasen.networks.oobleck import SAMPLE_RATE
from rasen.networks.vae import open_vae
from rasen.songs.scored import COLUMNS


def decode_songs(songs: Path, model: Path, device: str, sheet: Path) -> None:
    """Write a FLAC of each song beside the sheet, and the sheet, as `scores.sheets` takes it.

    Every seed is a system of its own there: two songs of the same lyrics are not independent, and
    in one system intervals over songs would be too narrow. A song that ended at once has no sound.
    """
    with hdf5.open_file(songs) as file:
        told, latents = hdf5.read_table(file, "songs"), hdf5.read_rows(file, "latents")
        run, step, made_with = (file.attrs[name] for name in ("run", "step", "vae"))
    if made_with != hashes.hash_folder(model):
        raise RasenError(f"{model}: is not the VAE of the latents in {songs}; name that one")
    vae = open_vae(model, pick_device(device))
    for old in sheet.parent.glob("*.flac"):
        if re.search(r"--seed-\d+\.flac$", old.name):
            old.unlink()
    rows = []
    ends = np.cumsum(told["frames"])
    for song, end in zip(told.itertuples(), ends, strict=True):
        if not song.frames:
            print(f"{song.song}, seed {song.seed}: ended before its first patch: no sound")
            continue
        name = f"{song.song}--seed-{song.seed}.flac"
        write_flac(sheet.parent / name, vae.decode(latents[end - song.frames : end]).T, SAMPLE_RATE)
        lyrics, reference = (
            path if os.path.isabs(path) else os.path.relpath(path, sheet.parent)
            for path in (song.lyrics, song.reference)
        )
        system = f"{run}-step-{step:06d}-seed-{song.seed}"
        rows.append((system, song.song, name, lyrics, song.language, reference, ""))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    write_text(sheet, table.to_csv(sep="\t", index=False, lineterminator="\n"))


if __name__ == "__main__":
    command.run(decode_songs, out_of_memory="set `songs.device: cpu`")
