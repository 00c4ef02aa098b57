"""A learned mix of layers: softmax weights and a linear head, and what each layer adds to it.

    mixed = sum over layers of softmax(a)_l * standardised features of layer l

Weights and a head are fitted by Adam in minibatches and stopped early on an inner fold, for all
tasks and test folds in one pass over the data. Then the head is replaced by the ridge that reads
single layers, so that mix and layer differ in their features alone. Only one layer is in memory:
all are written, as float16, to one temporary file of rows * layers * dim * 2 bytes.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rasen.errors import RasenError
from rasen.probes.folds import Plan
from rasen.probes.gram import Features
from rasen.probes.logistic import moments
from rasen.probes.mlp import inner_rows, seeded, target_loss
from rasen.probes.ridge import fit_ridge
from rasen.probes.scoring import InnerScores, Prediction
from rasen.probes.settings import ProbeSettings
from rasen.probes.tasks import Target

RATE = 0.05  # of the layers' weights, which are few; heads learn at the settings' rate


@dataclass(frozen=True)
class Mixed:
    """One target's mix. weights: [outer, layers]; without: {place of layer: scores per outer}."""

    predictions: list[Prediction]
    weights: np.ndarray
    without: list[list[np.ndarray]]  # [layers][outer] scores of the test rows


class Store:
    """All layers of some rows on disk, in chunks of rows: [dim, rows, layers] of each."""

    def __init__(self, rows: np.ndarray, layers: int, batch: int, order: np.ndarray) -> None:
        """order: of the rows in chunks, random so that chunks are minibatches"""
        self.rows, self.layers, self.batch, self.order = rows, layers, batch, order
        self.file = tempfile.TemporaryFile()
        self.dim = 0

    def write(self, place: int, features: Features) -> None:
        """One layer, its features shifted and scaled."""
        if place and features.dim != self.dim:
            raise RasenError(
                f"layers of {self.dim} and {features.dim} features cannot be mixed; probe layers "
                "of one width, or set probes.mix to false"
            )
        self.dim = features.dim
        limit = np.finfo(np.float16).max
        for number in range(self.chunks):
            part = features.take(self.places(number)).clip(-limit, limit).astype(np.float16)
            self.file.seek((number * self.batch * self.layers + place * len(part)) * self.dim * 2)
            self.file.write(part.tobytes())

    @property
    def chunks(self) -> int:
        """Their number."""
        return -(-len(self.order) // self.batch)

    def places(self, number: int) -> np.ndarray:
        """The rows of a chunk."""
        return self.order[number * self.batch : (number + 1) * self.batch]

    def read(self, number: int) -> np.ndarray:
        """A chunk: float32 [layers, rows, dim]."""
        rows = len(self.places(number))
        self.file.seek(number * self.batch * self.layers * self.dim * 2)
        data = self.file.read(rows * self.layers * self.dim * 2)
        stored = np.frombuffer(data, dtype=np.float16).reshape(self.layers, rows, self.dim)
        return stored.astype(np.float32)


def fit_mix(
    load: Callable[[Any], np.ndarray], layers: Sequence[Any], targets: Sequence[Target],
    plan: Plan, settings: ProbeSettings, seed: int,
) -> list[Mixed]:  # fmt: skip
    """The mix of each target. load: the features [rows, d] of a layer;  targets share their rows."""
    rows = targets[0].rows
    order = seeded(seed, "mix", "order").permutation(len(rows))
    store = Store(rows, len(layers), settings.batch, order)
    with store.file:
        parts = [inner_rows(plan, outer, number) for number, outer in enumerate(plan.outer)]
        centres, scales = [], []
        for place, layer in enumerate(layers):
            features = Features(load(layer), rows, f"layer {layer}")
            store.write(place, features)
            found = [moments(features, train) for train, _ in parts]
            centres.append([mean for mean, _ in found])
            scales.append([unscale for _, unscale in found])
            del features
        centre = np.array(centres).transpose(1, 0, 2)  # [outer, layers, dim]
        scale = np.array(scales).transpose(1, 0, 2)
        weights = _train(store, targets, plan, parts, centre, scale, settings, seed)
        return [
            _refitted(store, target, plan, weights[k], centre, scale, settings, seed)
            for k, target in enumerate(targets)
        ]


def _train(store, targets, plan, parts, centre, scale, settings, seed):
    """Softmax weights [targets, outer, layers], all fitted at once: their losses are independent."""
    import torch

    models = [(k, outer) for k in range(len(targets)) for outer in range(len(plan.outer))]
    a = torch.zeros(len(models), store.layers, requires_grad=True)
    heads = [torch.zeros(store.dim + 1, targets[k].width, requires_grad=True) for k, _ in models]
    optimiser = torch.optim.Adam(
        [{"params": [a], "lr": RATE}, {"params": heads, "lr": settings.rate}]
    )
    fitted = [np.isin(np.arange(len(plan.fold)), train) for train, _ in parts]
    scales, centres = torch.from_numpy(scale), torch.from_numpy(centre)
    best = np.full(len(models), -np.inf)
    waited = np.zeros(len(models), dtype=int)
    kept = torch.softmax(a, 1).detach().clone()
    rng = seeded(seed, "mix", "epochs")

    def scores(chunk, number):
        """Of one model: (w * scale) @ chunk, less what the means add; then its head."""
        outer = models[number][1]
        w = torch.softmax(a[number], 0)[:, None] * scales[outer]
        mixed = torch.einsum("lnd,ld->nd", chunk, w) - (w * centres[outer]).sum(0)
        return mixed @ heads[number][:-1] + heads[number][-1]

    for _ in range(settings.epochs):
        running = np.flatnonzero(waited < settings.patience)
        if not len(running):
            break
        held: dict[int, list] = {number: [] for number in running}
        for chunk_number in rng.permutation(store.chunks):
            places = store.places(chunk_number)
            chunk = torch.from_numpy(store.read(chunk_number))
            optimiser.zero_grad()
            for number in running:
                k, outer = models[number]
                chosen = fitted[outer][places]
                if chosen.any():
                    found = scores(chunk[:, torch.from_numpy(chosen)], number)
                    target_loss(targets[k], found, places[chosen]).backward()
            optimiser.step()
        with torch.no_grad():
            for chunk_number in range(store.chunks):
                places = store.places(chunk_number)
                chunk = torch.from_numpy(store.read(chunk_number))
                for number in running:
                    stop = np.isin(places, parts[models[number][1]][1])
                    found = scores(chunk[:, torch.from_numpy(stop)], number).numpy()
                    held[number].append((places[stop], found))
        for number in running:
            inner = InnerScores(targets[models[number][0]])
            inner.add(
                np.concatenate([places for places, _ in held[number]]),
                np.concatenate([found for _, found in held[number]])[:, None],
            )
            score = inner.best()[1]
            waited[number] += 1
            if score > best[number]:
                best[number], waited[number] = score, 0
                kept[number] = torch.softmax(a[number], 0).detach()
    return kept.numpy().reshape(len(targets), len(plan.outer), store.layers)


def _refitted(store, target, plan, weights, centre, scale, settings, seed):
    """Ridge on one target's mixed features, fold by fold; and on them without one layer each."""
    predictions, without = [], [[] for _ in range(store.layers)]
    for number, outer in enumerate(plan.outer):
        w = weights[number][:, None] * scale[number]
        mixed = np.empty((len(store.order), store.dim), dtype=np.float32)
        for chunk in range(store.chunks):
            mixed[store.places(chunk)] = np.einsum("lnd,ld->nd", store.read(chunk), w)
        mixed -= (w * centre[number]).sum(axis=0)
        one = Plan(plan.split, plan.fold, (outer,))
        features = Features(mixed, np.arange(len(mixed)), "the mix of layers")
        predictions.append(fit_ridge(features, [target], one, settings, seed)[0][0])
    return Mixed(predictions, weights, without)
