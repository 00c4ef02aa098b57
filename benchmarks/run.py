"""Speeds and memory of the engine beside what they are measured against: make bench.

    python benchmarks/run.py [--size small|large|tiny] [--device auto|cpu|cuda] [--threads N]

Models have MusicGen's real sizes and random weights, made once in benchmarks/work/. Every ratio is
of two things timed in turn in one process; times are medians.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "workflow/scripts"))

import numpy as np
import pandas as pd
import sizes
import torch

from rasen.device import pick_device
from rasen.families import open_family
from rasen.io import inputs
from rasen.measure import activations
from rasen.measure.activations import DumpSettings
from rasen.measure.interpolate import initial_tensors
from rasen.study.recipe import Initialisation
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import interpolate_into, load_into, named_tensors

OFFICIAL = Initialisation()
CLIPS, FRAMES, BATCH = 8, 200, 4  # 4 s of MusicGen's tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="small", choices=sizes.SIZES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    device = pick_device(chosen.device)
    where = torch.cuda.get_device_name() if device == "cuda" else f"{chosen.threads} CPU threads"
    family = open_family("musicgen", sizes.checkpoint(HERE / "work" / chosen.size, chosen.size))
    numbers = sum(
        tensor.numel() for tensor in named_tensors(family.build("meta", "float32")).values()
    )
    print(f"MusicGen-{chosen.size}: {numbers / 1e6:.0f} M numbers in float32, {where}\n")
    print(f"{'what':46} {'measured':>12} {'target':>10}")
    blending(family, chosen.repeats)
    memory(family, numbers)
    drawing(family, numbers)
    running(family, device, chosen.repeats)


def row(what, measured, target=None, low=False):
    """One line of the table; a missed target is marked."""
    met = target is None or (measured <= target if low else measured >= target)
    wanted = "" if target is None else f"{'<=' if low else '>='} {target:.2f}"
    print(f"{what:46} {measured:12.3f} {wanted:>10}{'' if met else '  MISSED'}", flush=True)


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(repeats, *functions):
    """Median seconds of each function, all called in turn after one round that does not count."""
    rounds = [[timed(function) for function in functions] for _ in range(repeats + 1)]
    return [median(times) for times in zip(*rounds[1:], strict=True)]


@torch.no_grad()
def blending(family, repeats):
    """A checkpoint on disk (warm) and theta_init into a model, against lerp_ in memory.

    theta_init is given in memory: drawing it is timed apart.
    """
    trained = family.load(family.folder)
    network = family.build("cpu", "float32")
    load_into(network, trained)
    ours = named_tensors(network)
    starts = {name: tensor.read() for name, tensor in trained.items()}
    drawn = {name: LazyTensor(t.shape, lambda t=t: t) for name, t in starts.items()}

    def lerp():
        for name, tensor in ours.items():
            tensor.lerp_(starts[name], 0.3)

    both, one, plain = in_turn(
        repeats,
        lambda: interpolate_into(network, trained, trained, 0.3),
        lambda: interpolate_into(network, drawn, trained, 0.3),
        lerp,
    )
    row("plain lerp_ in memory: seconds", plain)
    row("blend: speed / speed of lerp_", plain / one, 0.5)
    row("blend, theta_init on disk too: same", plain / both)


def memory(family, numbers):
    """Peak memory of a process that blends, against one model + two tensors + 1 GB."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from rasen.measure.interpolate import load_at_point\n"
        "from rasen.study.recipe import Initialisation, Recipe\n"
        "recipe = Recipe('musicgen', sys.argv[1], 'linear-0.300', initial=Initialisation())\n"
        "load_at_point(recipe, 'cpu')\n"
        "print(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])\n"
    )
    command = [sys.executable, "-c", code, family.folder, HERE.parent / "workflow/scripts"]
    peak = int(subprocess.check_output(command)) * 1024 / 1e9
    largest = max(
        tensor.numel() for tensor in named_tensors(family.build("meta", "float32")).values()
    )
    row(
        "blend: peak memory of the process, GB",
        peak,
        (4 * numbers + 8 * largest) / 1e9 + 1,
        low=True,
    )


def drawing(family, numbers):
    """theta_init drawn tensor by tensor, against torch's own truncated normal."""
    made = initial_tensors(family, OFFICIAL)
    tensors = {name: lazy.read() for name, lazy in made.items()}

    def ours():
        for lazy in made.values():
            lazy.read()

    def theirs():
        for tensor in tensors.values():
            torch.nn.init.trunc_normal_(tensor, std=0.02, a=-0.06, b=0.06)

    drawn, torchs = in_turn(1, ours, theirs)
    row("theta_init: million numbers a second", numbers / drawn / 1e6)
    row("theta_init: speed / torch's trunc_normal_", torchs / drawn)


@torch.inference_mode()
def running(family, device, repeats):
    """Activations of every layer, pooled and written, against the bare forward passes."""
    network = family.build(device, "float32")
    load_into(network, family.load(family.folder))
    rng = np.random.default_rng(0)
    clips = CLIPS if device == "cpu" else 64 * CLIPS
    batch = BATCH if device == "cpu" else 8 * BATCH
    codes = [{"codes": rng.integers(0, 2048, (FRAMES, 4)).astype(np.int16)} for _ in range(clips)]
    with TemporaryDirectory() as folder:
        inputs.write_inputs(f"{folder}/i.h5", codes, pd.DataFrame({"clip": range(clips)}))
        read = inputs.Inputs(f"{folder}/i.h5")

        def forward():
            for part in read.batches(batch, device):
                tokens = part["codes"].long().transpose(1, 2)
                network.model.decoder(input_ids=tokens, use_cache=False)
            if device == "cuda":
                torch.cuda.synchronize()

        def dump(**settings):
            activations.dump(
                family, network, read, f"{folder}/a.h5", DumpSettings(**settings), device, batch
            )

        bare, pooled, every = in_turn(
            repeats, forward, dump, lambda: dump(pool="all", dtype="float16")
        )
    row("bare forward passes: frames a second", clips * FRAMES / bare)
    row("activations (mean): speed / bare forward", bare / pooled, 0.9)
    row("activations (all frames, float16): same", bare / every)


if __name__ == "__main__":
    main()
