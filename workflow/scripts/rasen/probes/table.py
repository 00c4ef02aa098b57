"""Outcomes of probes as rows: values with intervals, the selected layer, differences, the mix."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rasen.probes.intervals import interval
from rasen.probes.metrics import METRICS
from rasen.probes.scoring import Items
from rasen.probes.tasks import Target

NETWORK, SELECTED, LAST, MIX, WITHOUT = "network", "selected", "last", "mix", "without"
FROZEN = "frozen"
COLUMNS = [
    "layer", "features", "task", "kind", "split", "row", "against", "metric", "value", "low",
    "high", "chance", "n", "groups", "lambda", "selected",
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """One probe of one layer (or baseline, or mix), scored: parts per metric [outer, draws, k]."""

    target: Target
    split: str
    kind: str
    features: str
    layer: Any
    places: np.ndarray  # of all test rows
    parts: dict[str, np.ndarray]
    inner: np.ndarray  # [outer] score on the inner folds
    strengths: np.ndarray  # [outer]
    weights: np.ndarray | None = None  # [outer, layers], of a mix

    def draws(self, metric: str) -> np.ndarray:
        """Values [draws + 1]: of the sample, then resampled."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return METRICS[metric].value(self.parts[metric])


def as_table(outcomes: Sequence[Outcome], layers: Sequence[Any]) -> pd.DataFrame:
    """All rows of `probing.probe`."""
    together: dict[tuple, list[Outcome]] = {}
    for outcome in outcomes:
        together.setdefault((outcome.target.name, outcome.split), []).append(outcome)
    rows = [row for some in together.values() for row in _rows(some, layers)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    if all(isinstance(layer, int | np.integer) for layer in layers):
        table["layer"] = table["layer"].astype("Int64")
    return table


def selected_outcomes(outcomes: Sequence[Outcome], layers: Sequence[Any]) -> Iterator[Outcome]:
    """Of every task and split: each test fold predicted from the layer chosen for it."""
    together: dict[tuple, dict[Any, Outcome]] = {}
    for one in outcomes:
        if one.features == NETWORK and one.target.row == "probe":
            together.setdefault((one.target.name, one.split), {})[one.layer] = one
    for network in together.values():
        yield _selected(network, _chosen(network))


def frozen_table(
    frozen: Sequence[Outcome], ridge: Sequence[Outcome], layers: Sequence[Any]
) -> pd.DataFrame:
    """Rows of networks of which the layers up to one were frozen, beside ridge on the same folds.

    ridge: outcomes of every layer of the untouched network, the last of `layers` among them. The
    layer chosen for each test fold and the last one are rows "reference", and are subtracted.
    """
    last = [_renamed(one, LAST) for one in ridge if one.layer == layers[-1]]
    references: dict[tuple, list[Outcome]] = {}
    for one in [*selected_outcomes(ridge, layers), *last]:
        references.setdefault((one.target.name, one.split), []).append(one)
    rows: list[dict] = []
    for (name, split), some in references.items():
        facts = _facts(some[0])
        of_task = [one for one in frozen if (one.target.name, one.split) == (name, split)]
        for one in of_task:
            rows += _values(one, facts)
        for reference in some:
            rows += _values(reference, facts, row="reference")
            for one in of_task:
                rows += _values(one, facts, row="difference", minus=reference)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"layer": "Int64"})


def _rows(outcomes, layers) -> Iterator[dict]:
    """Of one task and split."""
    probes = [one for one in outcomes if one.target.row == "probe"]
    network = {one.layer: one for one in probes if one.features == NETWORK}
    baselines = [one for one in probes if one.features not in (NETWORK, MIX, WITHOUT)]
    mixes = [one for one in probes if one.features == MIX]
    chosen = _chosen(network)
    selected, last = _selected(network, chosen), _renamed(network[layers[-1]], LAST)
    facts = _facts(probes[0])
    for layer, outcome in network.items():
        share = chosen.count(layer) / len(chosen)
        yield from _values(outcome, facts, selected=share)
    for outcome in [*baselines, selected, last, *mixes]:
        yield from _values(outcome, facts)
    yield from _permuted_rows(outcomes, facts)
    for mix in mixes:
        yield from _weight_rows(mix, layers, facts)
        for one in probes:
            if one.features == WITHOUT:
                yield from _values(_renamed(one, MIX), facts, row="without", minus=mix)
    for other in [last, *mixes]:
        yield from _values(selected, facts, row="difference", minus=other)
    for baseline in baselines:
        for outcome in [*network.values(), selected, *mixes]:
            yield from _values(outcome, facts, row="difference", minus=baseline)


def _chosen(network):
    """The layer with the highest score on the inner folds, of each test fold."""
    layers = list(network)
    inner = np.array([outcome.inner for outcome in network.values()])
    return [layers[place] for place in np.where(np.isnan(inner), -np.inf, inner).argmax(axis=0)]


def _selected(network, chosen):
    """Each test fold predicted from the layer chosen for it."""
    first = network[chosen[0]]
    picked = [network[layer] for layer in chosen]
    parts = {
        metric: np.stack([one.parts[metric][fold] for fold, one in enumerate(picked)])
        for metric in first.parts
    }
    most = Counter(chosen).most_common(1)[0][0]
    return Outcome(
        first.target, first.split, first.kind, SELECTED, most, first.places, parts,
        np.array([one.inner[fold] for fold, one in enumerate(picked)]),
        np.array([one.strengths[fold] for fold, one in enumerate(picked)]),
    )  # fmt: skip


def _renamed(outcome, features):
    return Outcome(**{**vars(outcome), "features": features})


def _facts(outcome):
    """What is equal for all rows of a task and split: numbers and chance."""
    target = outcome.target
    items = Items.of(target, outcome.places)
    return {
        "n": len(np.unique(items.truth["clip"]) if target.task.kind == "frames" else items.first),
        "groups": len(np.unique(target.group[outcome.places])),
        "chance": {
            metric: float(METRICS[metric].chance(items.truth, target.classes))
            for metric in target.task.scored_by
        },
    }


def _values(outcome, facts, row="probe", minus=None, selected=np.nan):
    """A row per metric; minus: the outcome that is subtracted, draw by draw."""
    for metric in outcome.target.task.scored_by:
        draws, chance = outcome.draws(metric), facts["chance"][metric]
        if minus is not None:
            draws, chance = draws - minus.draws(metric), 0.0
        value, low, high = interval(draws, facts["groups"])
        yield {
            "layer": outcome.layer,
            "features": outcome.features,
            "task": outcome.target.name,
            "kind": outcome.kind,
            "split": outcome.split,
            "row": row,
            "against": minus.features if row == "difference" else None,
            "metric": metric,
            "value": value,
            "low": low,
            "high": high,
            "chance": chance,
            "n": facts["n"],
            "groups": facts["groups"],
            "lambda": np.median(outcome.strengths) if minus is None else np.nan,
            "selected": selected,
        }


def _permuted_rows(outcomes, facts):
    """All permutations of one layer together: their folds count as folds of one."""
    together: dict[tuple, list[Outcome]] = {}
    for one in outcomes:
        if one.target.row == "permuted":
            together.setdefault((one.features, one.layer), []).append(one)
    for some in together.values():
        joined = {
            "parts": {m: np.concatenate([one.parts[m] for one in some]) for m in some[0].parts},
            "strengths": np.concatenate([one.strengths for one in some]),
        }
        yield from _values(Outcome(**{**vars(some[0]), **joined}), facts, row="permuted")


def _weight_rows(mix, layers, facts):
    """The mix's weight of every layer: mean over test folds, lowest and highest of them."""
    for place, layer in enumerate(layers):
        of_layer = mix.weights[:, place]
        yield {
            "layer": layer, "features": MIX, "task": mix.target.name, "kind": mix.kind,
            "split": mix.split, "row": "weight", "against": None, "metric": "weight",
            "value": of_layer.mean(), "low": of_layer.min(), "high": of_layer.max(),
            "chance": 1 / len(layers), "n": facts["n"], "groups": facts["groups"],
            "lambda": np.nan, "selected": np.nan,
        }  # fmt: skip
