"""The memory of SongBloom's training step, predicted against measured: on a CPU, and on GPUs where
there are any. Each step is the trainer's own, in fresh processes.
"""

import argparse
import gc
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import numpy as np
import torch
from rows import Rows

from rasen.networks.songbloom_config import SongBloomConfig, preset
from rasen.networks.songbloom_init import initialised
from rasen.songbloom.memory import longest_window, step_memory
from rasen.songbloom.settings import TrainSettings
from rasen.songbloom.trainer import train

FRAMES = 256
WIDE = {"width": 512, "heads": 8, "lm_layers": 4, "diff_layers": 2, "codes": 4096}
STEPS: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {  # processes, network, training
    "toy, 4 at once": (1, {}, {"batch": 4, "at_once": 4}),
    "toy, 4 one by one": (1, {}, {"batch": 4}),
    "wide, 1 at once": (1, WIDE, {"batch": 1}),
    "wide, 4 at once, checkpointing": (
        1, WIDE, {"batch": 4, "at_once": 4, "checkpointing": True},
    ),
    "wide, bf16, running average": (1, WIDE, {"batch": 1, "precision": "bf16", "ema": 0.9}),
    "wide, DDP of 2": (2, WIDE, {"batch": 2, "engine": "ddp"}),
    "wide, FSDP of 2": (2, WIDE, {"batch": 2}),
    "wide, FSDP of 2, two parts": (2, WIDE, {"batch": 4}),
}  # fmt: skip
FEW = ("toy, 4 at once", "wide, bf16, running average", "wide, FSDP of 2")


class FullWindows:
    """One window of zeros, as long as a window gets."""

    def __init__(self, config: SongBloomConfig) -> None:
        self.window = longest_window(config, FRAMES)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self.window

    def identity(self) -> dict[str, str]:
        return {}


def asked(what: str) -> tuple[SongBloomConfig, TrainSettings]:
    """Network and training of one of STEPS."""
    _, changes, plan = STEPS[what]
    settings = TrainSettings(steps=3, seconds=FRAMES / 25, validate=0, save=10, warmup=1, **plan)
    return preset("toy", **changes), settings


def measured(what: str, device: str) -> float:
    """Bytes of a step, of the process that needs most."""
    processes, *_ = STEPS[what]
    with TemporaryDirectory() as state:
        subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
                *("--nproc-per-node", str(processes), __file__),
                *("--step", what, "--device", device, "--state", state),
            ],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=True,
        )
        return max(float(file.read_text()) for file in Path(state).glob("process-*"))


def measure(what: str, device: str, state: Path) -> float:
    """Bytes of the tensors that are alive at once in the trainer's second step.

    On a CPU: those before it, as Python's garbage collector knows them, and what torch's allocator
    reports while it lasts.
    """
    config, settings = asked(what)
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    steps = train(initialised(config, 0).to(device), FullWindows(config), settings, state)
    next(steps), next(steps)  # step 0, and the first, in which the moments are made
    gc.collect()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        next(steps)
        return torch.cuda.max_memory_allocated(device)
    before = {}
    for known in gc.get_objects():  # of what is shared out, the part of this process
        if type(known) in (torch.Tensor, torch.nn.Parameter):
            storage = known.untyped_storage()
            before[storage.data_ptr()] = storage.nbytes()
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        next(steps)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return sum(before.values()) + np.cumsum(sizes).max()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="full", choices=["full", "tiny"])
    parser.add_argument("--step", choices=STEPS, help="measure it, as one of its processes")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--state", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.step:
        bytes_ = measure(arguments.step, arguments.device, arguments.state)
        (arguments.state / f"process-{os.environ['RANK']}").write_text(str(bytes_))
        return
    rows = Rows()
    for device in ("cpu", "cuda"):
        errors = []
        for what in FEW if arguments.size == "tiny" else STEPS:
            processes, changes, _ = STEPS[what]
            name = f"{device}, {what}: predicted / measured"
            if device == "cuda" and not changes:
                continue  # less than what the GPU's libraries take for themselves
            if device == "cuda" and torch.cuda.device_count() < processes:
                rows.add(name, None, note="not measured: too few GPUs")
                continue
            with rows.attempt(name):
                predicted = step_memory(*asked(what), processes, device).total
                ratio = predicted / measured(what, device)
                rows.add(name, ratio)
                errors.append(abs(ratio - 1))
        if errors:
            rows.add(f"{device}: the greatest error", max(errors), target=0.1, at_most=True)


if __name__ == "__main__":
    main()
