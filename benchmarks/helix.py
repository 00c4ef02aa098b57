"""The exact helix fit beside the published protocol: CPU time, and which finds the better helix.

    python benchmarks/helix.py [--size full|tiny] [--cases 6] [--trials 1000] [--json FILE]

It needs Optuna (envs/test.txt). One TPE case of 1000 trials costs about a CPU minute.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: this counts one core
sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import numpy as np

from rasen.helix import LITERATURE, OCTAVE, baselines, best_of_trials, fit, fit_triples, reduce

KEYS = 36
DIM = 1024
JOB = {"layers": 49, "points": 16, "instruments": 92, "triples": 10}
SIZES = {  # problems of fits and of the job, cases given to TPE and their trials
    "full": {"fits": 4000, "job": 200, "cases": 6, "trials": 1000},
    "tiny": {"fits": 20, "job": 4, "cases": 4, "trials": 20},
}
TARGETS = {"free fit": 0.6, "fixed fit": 0.06, "job": 0.83}  # ms of one core


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", default="full", choices=SIZES)
    arguments.add_argument("--cases", type=int, help="problems given to TPE")
    arguments.add_argument("--trials", type=int, help="trials of each of 3 seeds")
    arguments.add_argument("--json", help="write the numbers to this file too")
    arguments = arguments.parse_args()
    rng = np.random.default_rng(0)
    size = SIZES[arguments.size]
    result = {"fits": speed_of_fits(rng, size["fits"]), "job": whole_job(rng, size["job"])}
    free = result["fits"]["free fit, cone"]["ms"]
    cases, trials = arguments.cases or size["cases"], arguments.trials or size["trials"]
    result["trials"] = beside_trials(rng, cases, trials, free)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(result, file, indent=1)


def speed_of_fits(rng: np.random.Generator, problems: int) -> dict:
    """CPU time of fits with omega free and fixed, by every rule for the radius."""
    x = reduce(rng.standard_normal((problems, KEYS, 40)))
    fit(x[:300])
    print(f"{'':26}{'ms per fit':>10}{'target':>8}{'fits per CPU second':>20}")
    result = {}
    for name, omega in (("free fit", LITERATURE), ("fixed fit", OCTAVE)):
        for rule in ("cone", "positive", "cylinder"):
            ms = 1e3 * cpu(fit, x, omega, rule) / problems
            print(f"{name + ', ' + rule:26}{ms:10.3f}{TARGETS[name]:8}{1e3 / ms:20,.0f}")
            result[f"{name}, {rule}"] = {"ms": ms, "target": TARGETS[name]}
    return result


def whole_job(rng: np.random.Generator, problems: int) -> dict:
    """Reduction and all ten triples, for features as wide as those of MusicGen small."""
    features = rng.standard_normal((problems, KEYS, DIM)).astype(np.float32)
    reducing = cpu(reduce, features, 5)
    fitting = cpu(fit_triples, reduce(features, 5))
    fits = int(np.prod(list(JOB.values())))
    seconds = (reducing + fitting) / problems / JOB["triples"]
    print(
        f"\nthe paper's whole job, {fits:,} fits: {seconds * fits / 60:.1f} CPU minutes "
        f"(target 10), "
        f"{seconds * 1e3:.3f} ms per fit (target {TARGETS['job']}),\n"
        f"of which reduction {reducing / problems / JOB['triples'] * 1e3:.3f} ms\n"
    )
    return {
        "fits": fits,
        "minutes": seconds * fits / 60,
        "ms": seconds * 1e3,
        "target": TARGETS["job"],
    }


def beside_trials(rng: np.random.Generator, cases: int, count: int, free_ms: float) -> list[dict]:
    """Helicality and CPU time of the exact fit beside those of the published search."""
    print(f"{'':24}{'exact':>9}{'TPE best':>10}{'its 3 seeds':>22}{'CPU s':>8}{'ratio':>10}")
    rows = []
    for name, draw in islice(cycle(problem_kinds(rng)), cases):
        x = draw()
        exact = float(fit(x).helicality)
        start = time.process_time()
        best = best_of_trials(x, count=count)
        seconds = time.process_time() - start
        ratio = 1e3 * seconds / free_ms
        seeds = " ".join(f"{helicality:6.3f}" for helicality in best)
        print(
            f"{name:24}{exact:9.3f}{best.max():10.3f}{seeds:>22}{seconds:8.1f}{ratio:10,.0f}",
            flush=True,
        )
        rows.append({"case": name, "exact": exact, "trials": best.tolist(), "ratio": ratio})
    worse = [row["case"] for row in rows if row["exact"] < max(row["trials"])]
    least = min((row["ratio"] for row in rows), default=np.nan)
    print(f"\nexact >= trials in {len(rows) - len(worse)} of {len(rows)} cases; at least")
    print(f"{least:,.0f} times less CPU for a fit in a batch (target 10,000)")
    return rows


def problem_kinds(rng: np.random.Generator) -> list[tuple[str, Callable[[], np.ndarray]]]:
    """Planted helices with noise, random features, spectra of synthetic notes: (name, draw)."""

    def helix(noise):
        t = np.arange(KEYS)
        angle = 2 * np.pi * t / rng.uniform(5, 12) * rng.choice([-1, 1])
        points = np.stack([0.06 * t, np.cos(angle), np.sin(angle)], axis=1)
        turned = points @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
        return reduce(turned + noise * rng.standard_normal(turned.shape))

    def spectrum(tilt):
        rate = 32_000
        time = np.arange(rate // 2) / rate
        pitch = 130.8 * 2 ** (np.arange(KEYS) / 12)
        partials = [k * pitch[:, None] for k in range(1, 25)]
        sound = sum(
            (partial < rate / 2) / k**tilt * np.sin(2 * np.pi * partial * time)
            for k, partial in enumerate(partials, 1)
        )
        return reduce(baselines.log_frequency(sound, rate))

    return [
        ("planted, noise 0.2", lambda: helix(0.2)),
        ("random", lambda: reduce(rng.standard_normal((KEYS, 40)))),
        ("log-frequency spectrum", lambda: spectrum(rng.uniform(0.5, 1.5))),
        ("planted, noise 0.5", lambda: helix(0.5)),
    ]


def cpu(function: Callable, *arguments: Any) -> float:
    """CPU seconds of one call, the better of two."""
    seconds = []
    for _ in range(2):
        start = time.process_time()
        function(*arguments)
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
