"""Train a SongBloom on the windows of the songs."""

import sys
from pathlib import Path

from rasen import command
from rasen.device import pick_device
from rasen.songbloom.launch import device_of_process, launch, launched
from rasen.songbloom.run import RunSettings, train_run


def train_songbloom(
    run: str, index: Path, codebook: Path, settings: RunSettings, state: Path, events: Path,
    weights: Path, table: Path, device: str, processes: int, vocabulary: Path | None = None,
) -> None:  # fmt: skip
    """Train a run, on one process or on several of this machine; a killed run goes on."""
    if processes > 1 and not launched():
        sys.exit(launch(processes, device))
    device = pick_device(device) if processes == 1 else device_of_process(device)
    train_run(run, index, codebook, vocabulary, settings, state, events, weights, table, device)


if __name__ == "__main__":
    command.run(
        train_songbloom,
        out_of_memory="set `songbloom.runs.{run}.train.at_once` to 1, `checkpointing: true`, "
        "fewer `flow_patches`, or more `processes`",
    )
