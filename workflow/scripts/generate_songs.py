"""Sketch and latents of songs, by the weights of one step of a training run."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.device import pick_device
from rasen.errors import raise_all
from rasen.io import hdf5, parquet
from rasen.networks.frames import FRAME_RATE
from rasen.networks.songbloom_checkpoint import read_about, read_tensors
from rasen.networks.songbloom_init import initialised
from rasen.seeds import generator
from rasen.songbloom.generation import (
    GenerateSettings,
    Patch,
    Request,
    Song,
    generate_patches,
    join_patches,
    wrong_requests,
)
from rasen.songbloom.requests import Requests, read_requests
from rasen.songs.phonemes import window_tokens
from rasen.weights.network_tensors import load_into


def generate_songs(
    run: str, step: int, weights: Path, requests: Path, settings: GenerateSettings, seconds: float,
    seeds: list, prompt: str, seconds_per_flag: float, at_once: int, device: str, songs: Path,
    table: Path,
) -> None:  # fmt: skip
    """Write the songs (HDF5) and their table, one row per song and seed.

    weights: folder of the step;  prompt, seconds_per_flag: as the run was trained
    at_once: songs made side by side; changes their sound by rounding only
    """
    checkpoint, asked = read_about(weights), read_requests(requests)
    every = [
        (row, _request(row, asked.prompts[prompt][number], seed, seconds_per_flag))
        for number, row in enumerate(asked.songs.itertuples(index=False))
        for seed in seeds
    ]
    problems = wrong_requests(checkpoint.config, [request for _, request in every], seconds)
    raise_all(_made_otherwise(checkpoint.about, asked) + problems, f"{run}, step {step}:")
    network = initialised(checkpoint.config, 0)
    load_into(network, read_tensors(weights, checkpoint.config))
    network.to(pick_device(device)).eval()
    made: list[Song] = []
    rtf: list[float] = []
    for first in range(0, len(every), at_once):
        batch = [request for _, request in every[first : first + at_once]]
        begun = time.perf_counter()
        patches = _told(generate_patches(network, batch, seconds, settings), batch)
        made += join_patches(patches, len(batch), checkpoint.config)
        frames = sum(len(song.sketch) for song in made[first:])
        # of songs made together, each has the batch's time as its share
        pace = (time.perf_counter() - begun) * FRAME_RATE / frames if frames else np.nan
        rtf += [pace] * len(batch)
    raise_all(
        f"{run}, step {step}: {request.name}: latents that are not numbers; the run diverged"
        for (_, request), song in zip(every, made, strict=True)
        if not np.isfinite(song.latents).all()
    )
    columns = ["song", "lyrics", "language", "reference"]
    told = pd.DataFrame([row for row, _ in every])[columns]
    told["seed"] = [*seeds] * len(asked.songs)
    told["frames"] = [len(song.sketch) for song in made]
    with hdf5.create(songs, run=run, step=step, vae=asked.vae) as file:
        file.table("songs", told)
        file.array("sketch", np.concatenate([song.sketch for song in made]))
        file.array("latents", np.concatenate([song.latents for song in made]))
    rows = told[["song", "seed"]].assign(run=run, step=step)
    rows["seconds"] = told["frames"] / FRAME_RATE
    rows["rtf"] = rtf
    rows["patches"] = told["frames"] // checkpoint.config.patch
    rows["ended"] = [song.ended for song in made]
    order = ["run", "step", "song", "seed", "seconds", "rtf", "patches", "ended"]
    parquet.write_table(rows[order], table)


def _request(row, prompt, seed, seconds_per_flag):
    spoken = json.loads(row.phonemes)
    _, ids = window_tokens(spoken, 0, spoken["sections"][-1]["end"], seconds_per_flag)
    # songs of one seed share no draws, or they would be alike
    own_seed = int(generator(seed, "song", row.song).integers(1 << 62))
    return Request(np.array(ids), prompt[: row.frames], own_seed, f"{row.song} (seed {seed})")


def _made_otherwise(about: dict, asked: Requests) -> list[str]:
    """What the run was trained on and the requests were not made with."""
    needed = {"inventory": asked.inventory, "vae": asked.vae}
    setting = {"inventory": "songs.phonemes.vocabulary", "vae": "songs.latents.model"}
    return [
        f"it was trained with the {name} '{about.get(name)}', the requests are of '{value}'; set "
        f"{setting[name]} to what it was, or train it anew"
        for name, value in needed.items()
        if about.get(name) != value
    ]


def _told(patches: Iterable[Patch], batch: Sequence[Request]) -> Iterator[Patch]:
    """The patches, each told in the log as it comes."""
    counts, begun = [0] * len(batch), time.perf_counter()
    for patch in patches:
        song = patch.request
        counts[song] += patch.sketch is not None
        state = f"patch {counts[song]}" if patch.sketch is not None else "the end"
        print(f"{batch[song].name}: {state}, {time.perf_counter() - begun:.1f} s", flush=True)
        yield patch


if __name__ == "__main__":
    command.run(
        generate_songs,
        out_of_memory="set a lower `songbloom.generate.batch` or `songbloom.generate.seconds`",
    )
