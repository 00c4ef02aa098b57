"""One training run as files: windows in; kept weights, a table and TensorBoard's events out.

Everything but the events is written below `state` until the run has ended, then moved to its place
at once: what Snakemake deletes of a failed job is never what the run goes on from.
"""

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from rasen.errors import RasenError, suggestion
from rasen.io import parquet
from rasen.io.hashes import hash_file
from rasen.networks.codebook import load_codebook
from rasen.networks.frames import FRAME_RATE
from rasen.networks.songbloom_checkpoint import (
    Checkpoint,
    files_of,
    read_about,
    read_tensors,
    write_checkpoint,
)
from rasen.networks.songbloom_config import PRESETS, SongBloomConfig, preset
from rasen.networks.songbloom_init import initialised
from rasen.songbloom.engines import processes
from rasen.songbloom.log import Log
from rasen.songbloom.memory import require_room, step_memory
from rasen.songbloom.settings import TrainSettings
from rasen.songbloom.trainer import Step, train
from rasen.songs.dataset import Windows
from rasen.songs.phonemes.inventory import Inventory, built_in_inventory, read_vocabulary
from rasen.weights.network_tensors import load_into

COLUMNS = ("run", "step", "split", "loss", "lm", "flow", "lr", "norm", "tokens_s", "memory")


@dataclass(frozen=True)
class DataSettings:
    """How windows are read: `songbloom.runs.NAME.data` of the config; see Windows."""

    prompt: Literal["stereo", "mono"] = "stereo"
    seconds_per_flag: float = 1.0


@dataclass(frozen=True)
class RunSettings:
    """`songbloom.runs.NAME` of the config.

    preset, network: the architecture, and fields of it that differ
    init_from:       a checkpoint to go on from (its architecture counts), instead of first weights
    """

    preset: str
    network: dict[str, Any] = field(default_factory=dict)
    init_from: str | None = None
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)


def train_run(
    run: str,
    index: Path,
    codebook: Path,
    vocabulary: Path | None,
    settings: RunSettings,
    state: Path,
    events: Path,
    weights: Path,
    table: Path,
    device: str,
) -> None:
    """Train a run to its end; one that was killed goes on.

    codebook: of the sketch; vocabulary: file of the phonemes' ids (None: built in)
    events: gets its losses for TensorBoard while it runs
    weights: gets a folder step-NNNNNN for every kept step; table: its losses
    """
    inventory = read_vocabulary(vocabulary) if vocabulary else built_in_inventory()
    checkpoint = architecture(settings, len(load_codebook(codebook).vectors), inventory)
    config = checkpoint.config
    reading: dict[str, Any] = {
        "seconds": settings.train.seconds,
        "seed": settings.train.seed,
        "seconds_per_flag": settings.data.seconds_per_flag,
        "longest_text": config.lyrics_rows,
        "prompt_seconds": config.prompt_rows / FRAME_RATE,
        "prompt": settings.data.prompt,
    }
    windows = Windows(index, **reading)
    if windows.inventory != inventory.name:
        raise RasenError(
            f"{index}: its phonemes are of '{windows.inventory}', songs.phonemes.vocabulary is "
            f"'{inventory.name}'; run `snakemake songs`"
        )
    validation = None
    if settings.train.validate:
        validation = Windows(index, split="valid", **reading)
    first, world = processes()
    if first == 0:
        frames = min(windows.most, int(windows.songs.frames.max()))
        needed = step_memory(config, settings.train, world, device, frames)
        print(f"memory of a step, windows at once: {settings.train.at_once}: about {needed}")
        require_room(needed, device)
    network = initialised(config, settings.train.seed)
    if settings.init_from:
        load_into(network, read_tensors(settings.init_from, config))
    network.to(device)
    begun_with = {"reading": reading, "start": _start(settings)}
    kept = state / "kept"
    about = {"inventory": inventory.name, **windows.identity(), "run": run}
    log = Log(state, events) if first == 0 else None
    for step in train(network, windows, settings.train, state, validation, begun_with):
        if log is None:
            continue
        kept.mkdir(parents=True, exist_ok=True)
        if step.kept is not None:
            tokens, folder = checkpoint.tokens, kept / step_name(step.number)
            write_checkpoint(folder, step.kept, config, tokens, {**about, "step": step.number})
        if step.split != "start":
            log.add(step)
            _tell(step, settings.train)
    if log is not None:
        _finish(run, log, state, kept, weights, table, settings.train)


def architecture(settings: RunSettings, codes: int, inventory: Inventory) -> Checkpoint:
    """The network of a run: of the checkpoint that it goes on from, or of its preset."""
    if settings.init_from:
        checkpoint = read_about(settings.init_from)
        wrong = []
        if checkpoint.config.codes != codes:
            wrong.append(f"{checkpoint.config.codes} codes, the songs' codebook has {codes}")
        ids = inventory.ids
        differ = [t for n, t in enumerate(checkpoint.tokens) if t and ids.get(t, n) != n]
        if differ or len(checkpoint.tokens) < max(ids.values()) + 1:
            wrong.append("other ids of phonemes; set songs.phonemes.vocabulary to its list")
        if wrong:
            raise RasenError(f"init_from: {settings.init_from}: has {'; and '.join(wrong)}")
        return checkpoint
    fields = {**vars(PRESETS["toy"])}
    if unknown := [name for name in settings.network if name not in fields]:
        raise RasenError(f"network: no field '{unknown[0]}'; {suggestion(unknown[0], [*fields])}")
    tokens = [""] * (max(inventory.ids.values()) + 1)
    for token, number in inventory.ids.items():
        tokens[number] = token
    config: SongBloomConfig = replace(
        preset(settings.preset, **{"codes": codes, **settings.network}),
        vocabulary=len(tokens),
        flags=tuple(sorted(n for t, n in inventory.ids.items() if len(t) > 2 and t[0] == "[")),
        stop=inventory.ids["."],
        comma=inventory.ids[","],
    )
    config.require_valid()
    return Checkpoint(config, tuple(tokens), {})


def step_name(number: int) -> str:
    """The folder of a kept step."""
    return f"step-{number:06d}"


def _start(settings):
    """What the first weights are: a preset, or the hash of a checkpoint."""
    if settings.init_from:
        return hash_file(files_of(settings.init_from)[1])
    return f"{settings.preset} {json.dumps(settings.network, sort_keys=True)}"


def _tell(step: Step, settings: TrainSettings) -> None:
    every = max(1, settings.steps // 50)
    if step.split == "valid" or step.number % every == 0:
        speed = f", {step.tokens_s:.0f} tokens/s" if step.tokens_s else ""
        print(
            f"step {step.number} of {settings.steps}, {step.split}: loss {step.loss:.4f} "
            f"(sketch {step.lm:.4f}, flow {step.flow:.4f}){speed}",
            flush=True,
        )


def _finish(run, log, state, kept, weights, table, settings):
    """Put what was made in its place, and forget the state, which is whole until then."""
    rows = pd.DataFrame(log.rows()).rename(columns={"number": "step"})
    rows = rows.sort_values(["step", "split"], ignore_index=True)
    rows["run"] = run
    weights.mkdir(parents=True, exist_ok=True)
    for number in settings.kept:
        target = weights / step_name(number)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(kept / step_name(number), target, copy_function=_second_name)
    parquet.write_table(rows[[*COLUMNS]], table)
    shutil.rmtree(state)


def _second_name(source, target):
    """The same file under another name, or a copy where a file can have one name only."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
