"""SAE training steps on one device, beside sparsify: a part of make bench-gpu.

    $(workflow/install saelens) benchmarks/gpu_sae.py [--size large|tiny] [--device cuda|cpu]

Whole steps (forward, backward, optimiser, bookkeeping) on the same batch, in turn; wall times.
"""

import argparse
import sys
from collections.abc import Callable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "workflow/scripts"), str(ROOT / "tests/saelens")]

import torch
from rows import Rows, add_peak, add_waits, fingerprint, in_turn

from rasen.device import pick_device
from rasen.sae import kernel
from rasen.sae.settings import Setting
from rasen.sae.training_run import TrainingRun

SIZES = {"large": (2048, 65536, 32, 4096), "tiny": (64, 512, 8, 256)}  # d, n, k, rows of a batch
LR = 3e-4
LONG = 10**9  # rows of a run that never ends
STEPS = 10  # of the two runs whose bits are compared
KINDS = ("topk", "batchtopk", "matryoshka")

Step = Callable[[torch.Tensor], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="large", choices=SIZES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rows", type=Path, help="append the rows to this file, as JSON lines")
    chosen = parser.parse_args()
    device, rows = pick_device(chosen.device), Rows(chosen.rows)
    d, n, k, batch = size = SIZES[chosen.size]
    torch.manual_seed(0)
    x = torch.randn(batch, d, device=device)
    speeds: dict[str, float] = {}

    def time(what: str, step: Step, note: str = "") -> None:
        """A row; in_turn's first round warms up."""
        (taken,) = in_turn(chosen.repeats, lambda: step(x))
        speeds[what] = batch / taken
        rows.add(f"SAE, {what}", batch / taken, "rows/s", note=note)

    about = f"d = {d}, n = {n}, k = {k}, batches of {batch}"
    with rows.attempt("SAE, sparsify"):
        step = sparsify(*size, device)
        time("sparsify", step, f"{version('eai-sparsify')}, float32; {about}")
        add_peak(rows, "SAE, sparsify: peak on the GPU", lambda: step(x))
    for precision in ("bf16", "fp32"):
        what = f"Rasen, {precision}"
        with rows.attempt(f"SAE, {what}"):
            step = rasen(*size, x, precision=precision)
            time(what, step, about)
            if "sparsify" in speeds:
                target = 3.0 if device == "cuda" and precision == "bf16" else None
                rows.add(
                    f"SAE, {what} / sparsify", speeds[what] / speeds["sparsify"], target=target
                )
            add_peak(rows, f"SAE, {what}: peak on the GPU", lambda step=step: step(x))
            add_waits(rows, f"SAE, {what}: waits for the GPU per step", lambda step=step: step(x))
        with rows.attempt(f"SAE, {what}, blocks of {batch} rows"), blocks(batch):
            time(f"{what}, blocks of {batch} rows", rasen(*size, x, precision=precision))
    for kind in KINDS:
        with rows.attempt(f"SAE, Rasen, {kind}"):
            if kind != "topk":
                step = rasen(*size, x, kind=kind)
                time(f"Rasen, {kind}", step)
                add_waits(
                    rows,
                    f"SAE, Rasen, {kind}: waits for the GPU per step",
                    lambda step=step: step(x),
                )
            first, second = (bits_after_training(*size, x, kind) for _ in range(2))
            what = f"SAE, Rasen, {kind}: {STEPS} steps twice, the same bits (1: yes)"
            rows.add(what, float(first == second))
    with rows.attempt("SAE, the encoder's product alone"):
        for dtype in (torch.float32, torch.bfloat16):
            weight, some = torch.randn(n, d, device=device).to(dtype), x.to(dtype)
            name = str(dtype).removeprefix("torch.")
            time(f"the encoder's product alone, {name}", lambda _, w=weight, s=some: s @ w.T)


@contextmanager
def blocks(rows: int):
    """The rows whose pre-activations exist at once: few suit a CPU's cache; a GPU may want more."""
    before, kernel.ROWS = kernel.ROWS, rows
    try:
        yield
    finally:
        kernel.ROWS = before


def rasen(d: int, n: int, k: int, batch: int, x: torch.Tensor, **setting: Any) -> Step:
    """A step of an SAE of ours; setting: further fields of Setting."""
    run = training_run(d, n, k, batch, x, **setting)
    return lambda rows: run.step(rows, 1.0)


def training_run(
    d: int, n: int, k: int, batch: int, x: torch.Tensor, **setting: Any
) -> TrainingRun:
    """An SAE of ours before its first step."""
    values = {"expansion": n / d, "k": k, "lr": LR, "batch": batch, "normalise": "none"}
    return TrainingRun(Setting(**values | setting), x, 0, LONG)


def bits_after_training(
    d: int, n: int, k: int, batch: int, x: torch.Tensor, kind: str
) -> list[int]:
    """Fingerprints of the weights after some steps from one seed."""
    run = training_run(d, n, k, batch, x, kind=kind)
    for _ in range(STEPS):
        run.step(x, 1.0)
    return fingerprint(run.weights.tensors())


def sparsify(d: int, n: int, k: int, batch: int, device: str) -> Step:
    """Its Trainer wants a language model; this is the step of that Trainer (1.3.3), with Adam."""
    try:  # what it imports and does not use here, where it is not installed
        import transformers  # noqa: F401
    except ModuleNotFoundError:
        import standins

        standins.install()
    from sparsify.config import SparseCoderConfig
    from sparsify.sparse_coder import SparseCoder

    coder = SparseCoder(d, SparseCoderConfig(num_latents=n, k=k), device=device)
    adam = torch.optim.Adam(coder.parameters(), lr=LR)
    silent = torch.zeros(n, dtype=torch.long, device=device)

    def step(rows):
        coder.set_decoder_norm_to_unit_norm()
        out = coder(rows)
        fired = torch.zeros(n, dtype=torch.bool, device=device)
        fired[out.latent_indices.flatten()] = True
        out.fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        adam.step()
        adam.zero_grad()
        silent.add_(len(rows))
        silent[fired] = 0

    return step


if __name__ == "__main__":
    main()
