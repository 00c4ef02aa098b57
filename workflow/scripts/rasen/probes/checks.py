"""Labels, groups and splits that cannot be probed, all named before anything is fitted."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rasen.errors import raise_all, suggestion
from rasen.probes.keys import parse
from rasen.probes.metrics import METRICS
from rasen.probes.settings import ProbeSettings
from rasen.probes.tasks import KINDS, Task

SPLITS = ("train", "valid", "test")
RESERVED = ("network", "selected", "last", "mix", "without")


def check(
    layers: Mapping[Any, Any], baselines: Mapping[str, Any], tasks: Mapping[str, Task],
    groups: np.ndarray, settings: ProbeSettings,
) -> None:  # fmt: skip
    """Raise one RasenError that lists all that is wrong."""
    problems = [] if len(tasks) else ["no task to probe; give one or more"]
    if not len(layers):
        problems.append("no layer to probe; give one or more")
    if groups.ndim != 1:
        problems.append(f"groups: have the shape {groups.shape}; give one group per row")
        groups = groups.ravel()
    problems += _missing(groups, "groups")
    for name in sorted(set(RESERVED) & set(baselines)):
        problems.append(f"baseline '{name}': a word of the table; call it something else")
    for what, mapping in (("layer", layers), ("baseline", baselines)):
        if isinstance(mapping, dict):  # others are read one by one, and checked when they are
            for name, x in mapping.items():
                problems += array_problems(x, len(groups), f"{what} {name}")
                if getattr(x, "ndim", 0) == 2 and not np.isfinite(x).all():
                    problems.append(f"{what} {name}: has features that are not finite")
    for name, task in tasks.items():
        problems += [f"task {name}: {text}" for text in _task(task, groups, settings)]
    raise_all(problems, heading="probes that cannot be fitted:" if len(problems) > 1 else "")


def array_problems(x: Any, rows: int, name: str) -> Iterator[str]:
    """What is wrong with the shape of a layer's features."""
    if getattr(x, "ndim", 0) != 2:
        yield f"{name}: features must be an array [rows, dim], not {getattr(x, 'shape', type(x))}"
    elif len(x) != rows:
        yield f"{name}: has {len(x)} rows, but there are {rows} groups; give one group per row"


def _task(task, groups, settings):
    if task.kind not in KINDS:
        yield f"kind '{task.kind}'; {suggestion(task.kind, KINDS)}"
        return
    values = np.asarray(task.values)
    rows = np.arange(len(groups)) if task.rows is None else np.asarray(task.rows)
    lengths = {"values": values, "songs": task.songs, "split": task.split, "clip": task.clip,
               "time": task.time}  # fmt: skip
    wrong = {k: len(v) for k, v in lengths.items() if v is not None and len(v) != len(rows)}
    if wrong:
        told = ", ".join(f"{count} {name}" for name, count in wrong.items())
        yield f"{told} for {len(rows)} rows; give one per row"
        return
    if len(rows) and (rows.min() < 0 or rows.max() >= len(groups)):
        yield f"rows {rows.min()} to {rows.max()} of features with {len(groups)} rows"
        return
    if values.ndim != (2 if task.kind == "tags" else 1):
        yield f"{task.kind} have values of the shape {values.shape}"
        return
    yield from _metrics(task)
    missing = list(_missing(values, "labels")) if task.kind != "frames" else []
    yield from missing
    of_rows = groups[rows]
    if task.kind == "frames" and (task.clip is None or task.time is None):
        yield "frames need clip and time of every row"
    if task.songs is not None:
        yield from _songs(task, values, of_rows)
    given = task.split is not None
    yield from _split(np.asarray(task.split).astype(str), of_rows) if given else ()
    needed = settings.folds
    if given:
        train = np.asarray(task.split).astype(str) == "train"
        valid = (np.asarray(task.split).astype(str) == "valid").any()
        needed, of_folds = (1, of_rows) if valid else (settings.folds - 1, of_rows[train])
    else:
        of_folds = of_rows
    count = len(np.unique(of_folds))
    if count < needed:
        yield f"{count} groups for {needed} folds; give more groups or set probes.folds to fewer"
    if not missing:
        yield from _labels(task, values, of_rows, given)
    if settings.kind == "logistic" and task.kind == "numbers":
        yield "logistic probes read classes, tags and frames; use ridge or mlp for numbers"


def _metrics(task):
    for name in task.scored_by:
        if name not in METRICS:
            yield f"metric '{name}'; {suggestion(name, list(METRICS))}"
        elif task.kind not in METRICS[name].kinds:
            fitting = [one for one, metric in METRICS.items() if task.kind in metric.kinds]
            yield f"metric '{name}' is not for {task.kind}; use {', '.join(fitting)}"
    if "key_score" in task.scored_by and task.kind == "classes":
        names = np.unique(np.asarray(task.values).astype(str))
        unknown = [name for name in names if parse(name) is None]
        if unknown:
            yield f"'{unknown[0]}' is not a key; write it as 'C# minor'"


def _missing(values, what):
    if values.dtype.kind == "f":
        count = (~np.isfinite(values)).sum()
    elif values.dtype.kind == "O":
        count = sum(value is None or value != value for value in values.ravel())
    else:
        count = 0
    if count:
        yield f"{count} {what} are missing (NaN or None); leave their rows out"


def _songs(task, values, groups):
    _, song = np.unique(task.songs, return_inverse=True)
    for what, of_row in (("groups", groups), ("labels", values), ("splits", task.split)):
        if of_row is None or (what == "labels" and task.kind == "frames"):
            continue
        _, code = np.unique(np.asarray(of_row).astype(str), axis=0, return_inverse=True)
        pairs = np.unique(np.stack([song, code.ravel()]), axis=1)
        more = np.flatnonzero(np.bincount(pairs[0]) > 1)
        if len(more):
            name = np.unique(task.songs)[more[0]]
            yield f"{len(more)} songs have clips with two {what}, for one '{name}'; give one each"


def _split(split, groups):
    unknown = sorted(set(split) - set(SPLITS))
    if unknown:
        yield f"split '{unknown[0]}'; write train, valid or test"
    for name in ("train", "test"):
        if name not in split:
            yield f"no row of the split is '{name}'; give some"
    pairs = np.unique(np.stack([groups.astype(str), split]), axis=1)
    several, count = np.unique(pairs[0], return_counts=True)
    leaking = several[count > 1]
    if len(leaking):
        inside = " and ".join(pairs[1][pairs[0] == leaking[0]])
        yield (
            f"{len(leaking)} groups leak, as group '{leaking[0]}' is in {inside} of the split; put "
            "each into one"
        )


def _labels(task, values, groups, given):
    if task.kind == "numbers":
        if len(values) and np.ptp(values.astype(float)) == 0:
            yield f"all numbers are {values[0]}; nothing to predict"
        return
    if task.kind == "frames":
        exact = values.dtype.kind == "f"
        count = (~np.isnan(values)).sum() if exact else values.astype(bool).sum()
        if count in (0, len(values)):
            yield f"{count} of {len(values)} frames have an event; nothing to predict"
        return
    if task.kind == "classes":
        names, codes = np.unique(values.astype(str), return_inverse=True)
        if len(names) < 2:
            yield f"one class only ({', '.join(names)}); nothing to predict"
            return
        members = [codes == code for code in range(len(names))]
        what = "class"
    else:
        names = task.tags or tuple(map(str, range(values.shape[1])))
        members, what = list(values.astype(bool).T), "tag"
        for name, member in zip(names, members, strict=True):
            if not member.any() or member.all():
                yield f"tag '{name}' is {'true' if member.all() else 'false'} in every row"
    train = np.asarray(task.split).astype(str) == "train" if given else None
    for name, member in zip(names, members, strict=True):
        if given and member.any() and not member[train].any():
            yield f"{what} '{name}' has no row in train, so it cannot be learned"
        elif not given and member.any() and len(set(groups[member])) < 2:
            group = groups[member][0]
            yield (
                f"{what} '{name}' is in one group only ('{group}'), so it cannot be learned "
                "without it; leave it out or use other groups"
            )
