"""Probes of every layer in one call: fits, selection on inner folds, mix, one tidy table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from rasen.errors import raise_all
from rasen.probes.checks import array_problems, check
from rasen.probes.folds import Plan, given_plan, grouped_plan, random_plan
from rasen.probes.gram import Features
from rasen.probes.intervals import resampling, units
from rasen.probes.logistic import fit_logistic
from rasen.probes.mix import fit_mix
from rasen.probes.mlp import fit_mlp
from rasen.probes.permute import permuted
from rasen.probes.ridge import fit_ridge
from rasen.probes.scoring import Prediction, fold_parts
from rasen.probes.settings import ProbeSettings
from rasen.probes.table import NETWORK, Outcome, as_table
from rasen.probes.tasks import Target, Task, as_task, encode
from rasen.seeds import generator

Source = tuple[str, Any, Mapping[Any, np.ndarray]]  # "network" or a baseline's name, key, of what
Weights = dict[int, np.ndarray]  # by number of units: their resampling, shared by all layers
Fit = Callable[[Features, Sequence[Target], Plan, ProbeSettings, int], list[list[Prediction]]]
FITS: dict[str, Fit] = {"ridge": fit_ridge, "logistic": fit_logistic, "mlp": fit_mlp}


def probe(
    layers: Mapping[Any, np.ndarray], targets: Mapping[str, Any], groups: np.ndarray,
    kind: str | None = None, seed: int = 0, *, baselines: Mapping[str, np.ndarray] | None = None,
    split: np.ndarray | None = None, songs: np.ndarray | None = None,
    settings: ProbeSettings | None = None,
) -> pd.DataFrame:  # fmt: skip
    """What a probe reads from every layer: one tidy table.

    layers: {layer: features [rows, d]}, from the first to the last. Any mapping: a layer is read
        when its turn comes, and let go before the next one, so that one is in memory at a time
    targets: {task: labels [rows] or a `Task`}
    groups: of each row (song, instrument); whole groups are left out, resampled and permuted
    baselines: {name: features [rows, d]} without a network, or of another one (untrained); read
        like layers, never chosen as the best layer
    split: "train", "valid" or "test" of each row, followed by tasks without one of their own
    songs: of each row, of all tasks without their own; predictions of a song's rows are averaged

    Columns
    layer, features   "network", "selected", "last", "mix" or a baseline's name
    task, kind, split   "grouped"; "random", which leaks; or "given"
    row       what the value is: "probe", "permuted" (labels), "difference" (features minus
              `against`), "weight" of a layer in the mix (lowest and highest over test folds),
              "without" (the mix without the layer, minus the mix)
    metric, value, low, high   95 % over groups;  chance: without features
    n, groups, lambda   rows, songs or clips of frames scored; median over test folds
    selected   share of test folds for which the layer was the best on the inner folds
    """
    found = probe_outcomes(
        layers, targets, groups, kind, seed, baselines=baselines, split=split, songs=songs,
        settings=settings,
    )  # fmt: skip
    return as_table(found, list(layers))


def probe_outcomes(
    layers: Mapping[Any, np.ndarray], targets: Mapping[str, Any], groups: np.ndarray,
    kind: str | None = None, seed: int = 0, *, baselines: Mapping[str, np.ndarray] | None = None,
    split: np.ndarray | None = None, songs: np.ndarray | None = None,
    settings: ProbeSettings | None = None,
) -> list[Outcome]:  # fmt: skip
    """The same as outcomes, from which `as_table` makes the rows and `as_draws` keeps the draws."""
    settings = settings or ProbeSettings()
    settings = replace(settings, kind=kind or settings.kind)
    baselines = baselines or {}
    tasks = {name: _with(as_task(values), split, songs) for name, values in targets.items()}
    check(layers, baselines, tasks, np.asarray(groups), settings)
    works = works_of(tasks, groups, settings, seed)
    weights = weights_of(works, settings, seed)
    sources: list[Source] = [(NETWORK, layer, layers) for layer in layers]
    sources += [(name, name, baselines) for name in baselines]
    outcomes = outcomes_of(sources, len(groups), works, weights, settings, seed)
    if settings.mix and settings.kind == "ridge" and len(layers) > 1:
        for work in works:
            if work.plan.split != "random":
                outcomes += _mix(layers, len(groups), work, weights, settings, seed)
    return outcomes


@dataclass(frozen=True)
class Work:
    """Targets that share their rows and folds, and so the products of their features."""

    rows: np.ndarray
    plan: Plan
    targets: list[Target]


def _with(task, split, songs):
    """A task with the split and songs of all rows where it has none of its own."""
    rows = slice(None) if task.rows is None else task.rows
    if task.split is None and split is not None:
        task = replace(task, split=np.asarray(split)[rows])
    if task.songs is None and songs is not None and task.kind != "frames":
        task = replace(task, songs=np.asarray(songs)[rows])
    return task


def works_of(
    tasks: Mapping[str, Task], groups: np.ndarray, settings: ProbeSettings, seed: int
) -> list[Work]:
    """Tasks as targets with their folds, permuted labels among them."""
    _, group = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    return list(_works(tasks, group, settings, seed))


def _works(tasks, group, settings, seed):
    together: dict[tuple, list[str]] = {}
    for name, task in tasks.items():
        labelled = b"" if task.rows is None else np.asarray(task.rows).tobytes()
        given = b"" if task.split is None else np.asarray(task.split).astype("U5").tobytes()
        together.setdefault((labelled, given), []).append(name)
    for names in together.values():
        first = tasks[names[0]]
        rows = np.arange(len(group)) if first.rows is None else np.asarray(first.rows)
        _, of_rows = np.unique(group[rows], return_inverse=True)
        unit = np.empty(of_rows.max() + 1, dtype=np.int64)
        unit[of_rows] = units(of_rows, seed)
        targets = [_target(name, tasks[name], rows, of_rows, unit) for name in names]
        labels = [(target.task.kind, target.truth) for target in targets]
        if first.split is None:
            plans = [grouped_plan(of_rows, labels, settings.folds, seed)]
            if settings.random:
                plans.append(random_plan(len(rows), settings.folds, seed))
        else:
            plans = [given_plan(first.split, of_rows, labels, settings.folds, seed)]
        permutations = [
            _permuted(target, seed, number)
            for number in range(settings.permutations)
            for target in targets
        ]
        for plan in plans:
            yield Work(rows, plan, targets + permutations)


def _target(name, task, rows, group, unit):
    truth, classes = encode(task)
    song = None if task.songs is None else np.unique(task.songs, return_inverse=True)[1]
    return Target(name, task, classes, truth, rows, group, song, unit)


def _permuted(target, seed, number):
    rng = generator(seed, "probes", "permuted", target.name, number)
    truth = permuted(target.task.kind, target.truth, target.group, target.song, rng)
    return replace(target, truth=truth, row="permuted")


def weights_of(works: Sequence[Work], settings: ProbeSettings, seed: int) -> Weights:
    """The resampling of the groups of all works."""
    counts = {int(target.unit.max()) + 1 for work in works for target in work.targets}
    return {count: resampling(count, settings.bootstrap, seed) for count in counts}


def outcomes_of(
    sources: Sequence[Source], rows: int, works: Sequence[Work], weights: Weights,
    settings: ProbeSettings, seed: int,
) -> list[Outcome]:  # fmt: skip
    """Probes of all works on every source of features [rows, d], one in memory at a time."""
    outcomes: list[Outcome] = []
    for name, key, source in sources:
        x = _load(source, key, rows, name)
        for work in works:
            features = Features(x, work.rows, f"layer {key}" if name == NETWORK else name)
            fitted = FITS[settings.kind](features, work.targets, work.plan, settings, seed)
            layer = key if name == NETWORK else None
            for target, predictions in zip(work.targets, fitted, strict=True):
                outcomes.append(
                    scored(target, work.plan, predictions, weights, settings.kind, name, layer)
                )
            del features
        del x
    return outcomes


def _load(source, key, rows, name):
    x = source[key]
    raise_all(array_problems(x, rows, f"layer {key}" if name == NETWORK else name))
    return x


def scored(
    target: Target, plan: Plan, predictions: Sequence[Prediction], weights: Weights, kind: str,
    features: str, layer: Any,
) -> Outcome:  # fmt: skip
    """Predictions of the outer folds of a plan, with their metrics over resampled groups."""
    tests = [plan.rows(outer.test) for outer in plan.outer]
    drawn = weights[int(target.unit.max()) + 1]
    parts = {
        metric: np.stack(
            [
                fold_parts(target, metric, places, prediction.scores, drawn)
                for places, prediction in zip(tests, predictions, strict=True)
            ]
        )
        for metric in target.task.scored_by
    }
    return Outcome(
        target, plan.split, kind, features, layer, np.concatenate(tests), parts,
        np.array([prediction.inner for prediction in predictions]),
        np.array([prediction.strength for prediction in predictions]),
    )  # fmt: skip


def _mix(layers, rows, work, weights, settings, seed) -> Iterator[Outcome]:
    """The mix of layers of each task, and what is left of it without each layer."""
    targets = [target for target in work.targets if target.row == "probe"]

    def load(layer):
        return _load(layers, layer, rows, NETWORK)

    found = fit_mix(load, list(layers), targets, work.plan, settings, seed)
    for target, mixed in zip(targets, found, strict=True):
        outcome = scored(target, work.plan, mixed.predictions, weights, "ridge", "mix", None)
        yield replace(outcome, weights=mixed.weights)
        for layer, scores in zip(layers, mixed.without, strict=True):
            predictions = [Prediction(one, np.nan, np.nan) for one in scores]
            yield scored(target, work.plan, predictions, weights, "ridge", "without", layer)
