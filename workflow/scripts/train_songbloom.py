"""Train a SongBloom on the windows of the songs."""

import sys
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.songbloom.launch import device_of_process, launch, launched
from rasen.songbloom.run import RunSettings, train_run


def train_songbloom(
    run: str, index: Path, codebook: Path, settings: RunSettings, state: Path, events: Path,
    weights: Path, table: Path, device: str, processes: int, nodes: int = 1,
    vocabulary: Path | None = None,
) -> None:  # fmt: skip
    """Train a run, on one process or on several of each node; a killed run goes on."""
    alone = nodes * processes == 1
    if not alone and not launched():
        sys.exit(launch(processes, device, nodes))
    device = pick_device(device) if alone else device_of_process(device)
    train_run(run, index, codebook, vocabulary, settings, state, events, weights, table, device)


if __name__ == "__main__":
    command.run(
        train_songbloom,
        out_of_memory="set `songbloom.runs.{run}.train.at_once` to 1, `checkpointing: true`, "
        "fewer `flow_patches`, or more `processes`",
    )
