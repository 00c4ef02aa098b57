"""Probes in closed form beside scikit-learn's grid search: CPU time, accuracy, memory.

    workflow/install songs           # has scikit-learn; prints its Python
    PYTHON benchmarks/probes.py [--size full|tiny] [--rows FILE]

Features are made: a nonlinear function of pitch, octave and instrument with noise, of the size of
SynTheory's notes. Every layer is the same array, as their values do not change the work.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: this counts one core
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow/scripts")]

import numpy as np
from rows import Rows

from rasen.probes import ProbeSettings, probe, similarity
from rasen.probes.folds import grouped_folds

ALPHAS = 9
SIZES = {  # notes, features, layers; rows of the layer whose memory is measured
    "full": {"keys": 107, "dim": 1024, "layers": 25, "memory": 200_000},
    "tiny": {"keys": 24, "dim": 32, "layers": 2, "memory": 5_000},
}
INSTRUMENTS = 92
ALONE = {"random": False, "mix": False, "permutations": 0}  # what a grid search does


class Layers(Mapping):
    """One array under several names, as a file would give them one by one."""

    def __init__(self, x: np.ndarray, count: int) -> None:
        self.x, self.count = x, count

    def __getitem__(self, layer: int) -> np.ndarray:
        return self.x

    def __iter__(self):
        return iter(range(self.count))

    def __len__(self) -> int:
        return self.count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="full", choices=SIZES)
    parser.add_argument("--rows", type=Path, help="append the rows to this file, as JSON lines")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    size = SIZES[chosen.size]
    if chosen.peak:
        print(peak(chosen.peak, size["dim"]))
        return
    rows, full = Rows(chosen.rows), chosen.size == "full"
    x, tasks, groups = notes(size["keys"], size["dim"])
    probe({0: x[::5]}, {"octave": tasks["octave"][::5]}, groups[::5])  # imports
    nested = closed_form(rows, x, tasks, groups, size, full)
    with rows.attempt("scikit-learn"):
        beside_scikit_learn(rows, x, tasks, groups, nested, full)
    mixing(rows, x, tasks, groups, size["layers"], nested)
    memory(rows, chosen.size, size)
    names = {"a": x, "b": x[:, ::-1] ** 2}
    for kind in ("cka", "pwcca"):
        seconds = cpu(lambda kind=kind: similarity(names, [kind]))
        rows.add(f"similarity of two layers, {kind}, interval of 20 parts", seconds, "CPU s")


def notes(keys: int, dim: int) -> tuple[np.ndarray, dict, np.ndarray]:
    """(features [notes, dim], {task: labels}, instrument of each note)."""
    rng = np.random.default_rng(0)
    pitch, instrument = np.divmod(np.arange(keys * INSTRUMENTS), INSTRUMENTS)
    angle = 2 * np.pi * np.outer(pitch, [1 / 12, 1 / 6, 1 / 48, 1 / 96])
    hidden = np.hstack([np.sin(angle), np.cos(angle), rng.standard_normal((92, 8))[instrument]])
    wide = np.tanh(hidden @ rng.standard_normal((16, dim)))
    x = (wide + 1.5 * rng.standard_normal(wide.shape)).astype(np.float32)
    tasks = {
        "pitch class": pitch % 12,
        "octave": pitch // 12,
        "register": pitch * 3 // keys,
    }
    return x, tasks, instrument


def closed_form(rows, x, tasks, groups, size, full) -> float:
    """Times of all layers; returns CPU seconds a layer of the nested folds alone."""
    layers, count = Layers(x, size["layers"]), size["layers"]
    what = f"{len(x):,} x {x.shape[1]}, {len(tasks)} tasks, {ALPHAS} lambdas"
    alone = cpu(lambda: probe(layers, tasks, groups, settings=ProbeSettings(**ALONE)))
    target = {"target": 120, "at_most": True} if full else {}
    rows.add(f"probe, nested 5 x 4 folds, {count} layers of {what}", alone, "CPU s", **target)
    one = Layers(x, 1)
    more = ProbeSettings(random=False, mix=False)
    rows.add("the same, one layer", alone / count, "CPU s")
    seconds = cpu(lambda: probe(one, tasks, groups, settings=more))
    rows.add("the same with permuted labels beside", seconds, "CPU s")
    seconds = cpu(lambda: probe(one, tasks, groups, settings=ProbeSettings(mix=False)))
    rows.add("the same with a random split beside as well", seconds, "CPU s")
    split = np.array(["train", "train", "train", "valid", "test"])[groups % 5]
    seconds = cpu(
        lambda: probe(layers, tasks, groups, split=split, settings=ProbeSettings(**ALONE))
    )
    target = {"target": 40, "at_most": True} if full else {}
    rows.add(f"probe, one given split, {count} layers", seconds, "CPU s", **target)
    return alone / count


def beside_scikit_learn(rows, x, tasks, groups, nested, full) -> None:
    """One outer fold of the same folds and lambdas, all tasks; times 5 for the nested folds."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    class Ridge(RidgeClassifier):
        """With our unit of lambda: alpha / rows, so that inner and final fits have the same."""

        def __init__(self, strength: float = 1.0) -> None:
            super().__init__()
            self.strength = strength

        def fit(self, x, y):
            self.alpha = self.strength * len(x)
            return super().fit(x, y)

    settings = ProbeSettings(**ALONE)
    outer = grouped_folds(groups, [], 5, seed=0) == 0
    split = np.where(outer, "test", "train")
    seconds, worst = 0.0, 0.0
    for name, y in tasks.items():
        ours = probe({0: x}, {name: y}, groups, split=split, settings=settings)
        keep = (ours["features"] == "network") & (ours["metric"] == "accuracy")
        inner = grouped_folds(groups[~outer], [("classes", y[~outer])], 4, seed=0)
        grid = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__strength": settings.lambdas},
            cv=PredefinedSplit(inner),
        )
        start = time.process_time()
        grid.fit(x[~outer], y[~outer])
        theirs = float((grid.predict(x[outer]) == y[outer]).mean())
        seconds += time.process_time() - start
        value = float(ours.loc[keep, "value"].iloc[0])
        rows.add(f"{name}: accuracy, closed form", value)
        rows.add(f"{name}: accuracy, scikit-learn", theirs)
        worst = max(worst, abs(value - theirs))
    target = {"target": 2, "at_most": True} if full else {}
    rows.add("largest difference in accuracy, thousandths", 1000 * worst, **target)
    note = "theirs: one outer fold, times 5"
    rows.add("scikit-learn's grid, one layer, one outer fold", seconds, "CPU s")
    target = {"target": 15} if full else {}
    rows.add(
        "nested folds: speed / speed of scikit-learn", 5 * seconds / nested, note=note, **target
    )


def mixing(rows, x, tasks, groups, layers, nested) -> None:
    """What the learned mix adds to the probes of the same layers."""
    settings = ProbeSettings(**ALONE | {"mix": True})
    seconds = cpu(lambda: probe(Layers(x, layers), tasks, groups, settings=settings))
    what = f"learned mix of {layers} layers, all tasks and folds"
    rows.add(what, seconds - layers * nested, "CPU s")


def memory(rows, name, size) -> None:
    """Peak of a process that probes one large layer, less the layer."""
    command = [sys.executable, __file__, "--size", name, "--peak", str(size["memory"])]
    found = subprocess.run(command, text=True, capture_output=True, check=True)
    what = f"memory beside a layer of {size['memory']:,} x {size['dim']}"
    rows.add(what, float(found.stdout), "GB", target=1, at_most=True)


def peak(rows: int, dim: int) -> float:
    """GB on top of what the process had with its layer, with everything on but the mix."""
    rng = np.random.default_rng(0)
    x = np.empty((rows, dim), dtype=np.float32)
    for start in range(0, rows, 4096):
        x[start : start + 4096] = rng.standard_normal((len(x[start : start + 4096]), dim))
    tasks = {"a": rng.integers(0, 12, rows), "b": rng.integers(0, 9, rows)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    probe(Layers(x, 1), tasks, np.arange(rows) // 50, settings=ProbeSettings(mix=False))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6


def cpu(function: Callable) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main()
