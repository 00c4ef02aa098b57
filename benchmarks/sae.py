"""SAE training beside SAELens, dictionary_learning and sparsify, in one process: make bench.

    $(workflow/install saelens) benchmarks/sae.py [--size full|tiny] [--d 512 --n 8192 --k 32]

Every trainer takes whole steps (forward, backward, optimiser, bookkeeping) on the same batch, in
turn, on one thread; times are processor time, the least of the rounds. Peers run as their own
trainers do by default, in float32. Language models, data sets and plots, which they import and do
not use here, are stand-ins (tests/saelens/standins.py). ONEDNN_MAX_CPU_ISA=AVX2 imitates a
processor without bf16, as far as oneDNN computes.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count, repeat
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: this counts one core
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "tests/saelens")]

import standins
import torch

standins.install()

from dictionary_learning.trainers.top_k import TopKTrainer
from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer
from sparsify.config import SparseCoderConfig
from sparsify.sparse_coder import SparseCoder

from rasen.sae.kernel import fastest_ways
from rasen.sae.settings import Setting
from rasen.sae.training_run import TrainingRun

SIZES = {
    "full": {"d": 512, "n": 8192, "k": 32, "rounds": 5},
    "tiny": {"d": 32, "n": 256, "k": 8, "rounds": 1},
}
BATCH, LR = 4096, 3e-4
TARGETS = {  # with and without arithmetic for bf16
    True: {"SAELens": 8, "sparsify": 3},
    False: {"SAELens": 5, "sparsify": 1.8},
}
LONG = 10**9  # rows of a run that never ends

Step = Callable[[torch.Tensor], Any]


def main() -> None:
    """Time all trainers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="full", choices=SIZES)
    for name in SIZES["full"]:
        parser.add_argument(f"--{name}", type=int)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value}
    arguments = argparse.Namespace(**SIZES[given["size"]] | given)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = (arguments.d, arguments.n, arguments.k)
    x = torch.randn(BATCH, arguments.d)
    trainers = {
        "SAELens": saelens(*size),
        "SAELens, sparse activations": saelens(
            *size, use_sparse_activations=True, rescale_acts_by_decoder_norm=False
        ),
        "dictionary_learning": dictionary_learning(*size),
        "sparsify": sparsify(*size),
        "Rasen": rasen(*size, x),
        "Rasen, all in float32": rasen(*size, x, precision="fp32"),
        "Rasen, batchtopk": rasen(*size, x, kind="batchtopk"),
        "Rasen, matryoshka": rasen(*size, x, kind="matryoshka"),
        "Rasen, relu": rasen(*size, x, kind="relu"),
        **products(*size),
    }
    print(
        f"d = {arguments.d}, n = {arguments.n}, k = {arguments.k}, batches of {BATCH}, one thread\n"
    )
    seconds = least(
        arguments.rounds, {name: lambda s=step: s(x) for name, step in trainers.items()}
    )
    speed = {name: BATCH / value for name, value in seconds.items()}
    print(f"{'rows per CPU second':46} {'measured':>12} {'target':>10}")
    for name, value in speed.items():
        print(f"{name:46} {value:12.0f}")
    ours, exact = speed["Rasen"], speed["Rasen, all in float32"]
    way = fastest_ways("cpu")["auto"]
    wanted = TARGETS[way == "bf16"]
    limits = {name: speed[name] for name in products(*size)}
    print(f"\nfastest here: {way}")
    print_row("Rasen / SAELens", ours / speed["SAELens"], wanted["SAELens"])
    print_row("Rasen / sparsify", ours / speed["sparsify"], wanted["sparsify"])
    print_row("Rasen / dictionary_learning", ours / speed["dictionary_learning"])
    print_row("all in float32: Rasen / SAELens", exact / speed["SAELens"])
    print_row("all in float32: Rasen / sparsify", exact / speed["sparsify"])
    for name, limit in limits.items():
        best = limit == max(limits.values())
        print_row(f"all in float32, of the limit by {name}", exact / limit, 0.6 if best else None)


def print_row(what: str, measured: float, target: float | None = None) -> None:
    """One line of the table; a missed target is marked."""
    wanted = "" if target is None else f">= {target:.2f}"
    missed = target is not None and measured < target
    print(f"{what:46} {measured:12.2f} {wanted:>10}{'  MISSED' if missed else ''}", flush=True)


def least(rounds: int, functions: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Least processor seconds of each function, all in turn, after a round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds + 1):
        for name, function in functions.items():
            start = time.process_time()
            function()
            times[name].append(time.process_time() - start)
    return {name: min(seconds[1:]) for name, seconds in times.items()}


def rasen(d: int, n: int, k: int, x: torch.Tensor, **setting: Any) -> Step:
    """A step of an SAE of ours; setting: further fields of Setting."""
    values = {"expansion": n / d, "k": k, "lr": LR, "batch": BATCH, "normalise": "none"}
    run = TrainingRun(Setting(**values | setting), x, 0, LONG)
    return lambda batch: run.step(batch, 1.0)


def saelens(d: int, n: int, k: int, **more: Any) -> Step:
    """A step of SAELens; more: further fields of its config."""
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=d, d_sae=n, k=k, **more))
    config = SAETrainerConfig(LONG, BATCH, lr=LR, lr_end=LR / 10)
    trainer = SAETrainer(config, sae, repeat(None))

    def step(batch):
        trainer.step(batch)
        trainer.n_training_steps += 1

    return step


def dictionary_learning(d: int, n: int, k: int) -> Step:
    """A step of dictionary_learning."""
    trainer = TopKTrainer(
        steps=LONG, activation_dim=d, dict_size=n, k=k, layer=0, lm_name="", lr=LR, device="cpu"
    )
    steps = count()
    return lambda batch: trainer.update(next(steps), batch)


def sparsify(d: int, n: int, k: int) -> Step:
    """Its Trainer wants a language model; this is the step of that Trainer (1.3.3), with Adam."""
    coder = SparseCoder(d, SparseCoderConfig(num_latents=n, k=k))
    adam = torch.optim.Adam(coder.parameters(), lr=LR)
    silent = torch.zeros(n, dtype=torch.long)

    def step(batch):
        coder.set_decoder_norm_to_unit_norm()
        out = coder(batch)
        fired = torch.zeros(n, dtype=torch.bool)
        fired[out.latent_indices.flatten()] = True
        out.fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        adam.step()
        adam.zero_grad()
        silent.add_(len(batch))
        silent[fired] = 0

    return step


def products(d: int, n: int, k: int) -> dict[str, Step]:
    """The encoder's product alone, which exact TopK cannot do without: the limit."""
    weight, bias = torch.randn(n, d), torch.zeros(n)
    packed = torch.ops.mkldnn._linear_pointwise
    return {
        "torch.mm": lambda batch: batch @ weight.T,
        "oneDNN": lambda batch: packed(batch, weight, bias, "none", [], ""),
        "oneDNN, 256 rows at a time": lambda batch: [
            packed(rows, weight, bias, "none", [], "") for rows in batch.split(256)
        ],
    }


if __name__ == "__main__":
    main()
