"""A learned mix of layers: softmax weights and a linear head, and what each layer adds to it.

    mixed = sum over layers of softmax(a)_l * standardised features of layer l

The weights and a linear head are fitted by Adam in minibatches and stopped early on an inner fold,
for all tasks and test folds in one pass over the data. Then the head is replaced by the ridge that
reads single layers, so that mix and layer differ in their features alone. Layers are standardised
over all rows, without labels; the ridge standardises the mix on its training rows.

Only one layer is in memory: all are written, as float16, to one temporary file of
rows * layers * dim * 2 bytes, whose chunks are the minibatches.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rasen.errors import RasenError
from rasen.probes.folds import Plan
from rasen.probes.gram import Features
from rasen.probes.mlp import inner_rows, row_losses, seeded
from rasen.probes.ridge import choose_ridge, predict
from rasen.probes.scoring import InnerScores, Prediction
from rasen.probes.settings import ProbeSettings
from rasen.probes.tasks import Target

RATE = 0.05  # of the layers' weights, which are few; heads learn at the settings' rate
STEPS = 600  # at most: weights settle long before the head, which ridge replaces


@dataclass(frozen=True)
class Mixed:
    """One target's mix. weights: [outer, layers]

    without: [layer][outer] scores of the test rows when a layer is taken out of the fitted mix (the
    other weights made to sum to one, nothing fitted again): how much the mix relies on the layer
    """

    predictions: list[Prediction]
    weights: np.ndarray
    without: list[list[np.ndarray]]


class Store:
    """All layers of some rows on disk, in chunks of rows: [layers, rows, dim] of each."""

    def __init__(self, layers: int, batch: int, order: np.ndarray) -> None:
        """order: of the rows in chunks, random so that chunks are minibatches"""
        self.layers, self.batch, self.order = layers, batch, order
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by fit_mix)
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
        import torch

        rows = len(self.places(number))
        data = np.empty((self.layers, rows, self.dim), dtype=np.float16)
        self.file.seek(number * self.batch * self.layers * self.dim * 2)
        self.file.readinto(data.data)
        return torch.from_numpy(data).float().numpy()  # several times as fast as numpy's cast


def fit_mix(
    load: Callable[[Any], np.ndarray], layers: Sequence[Any], targets: Sequence[Target],
    plan: Plan, settings: ProbeSettings, seed: int,
) -> list[Mixed]:  # fmt: skip
    """The mix of each target; they share their rows. load: the features [rows, d] of a layer."""
    order = seeded(seed, "mix", "order").permutation(len(targets[0].rows))
    store = Store(len(layers), settings.batch, order)
    with store.file:
        for place, layer in enumerate(layers):
            features = Features(load(layer), targets[0].rows, f"layer {layer}")
            store.write(place, features)
            del features
        weights = _train(store, targets, plan, settings, seed)
        return [
            _refitted(store, target, plan, weights[k], settings) for k, target in enumerate(targets)
        ]


class _Mixes:
    """Weights and heads of every target (k) and test fold (outer), fitted at once.

    Their losses are summed, and Adam works number by number: none knows of the others.
    """

    def __init__(self, store: Store, targets: Sequence[Target], outers: int) -> None:
        import torch

        self.targets, self.outers = targets, outers
        self.a = torch.zeros(len(targets), outers, store.layers, requires_grad=True)
        self.heads = [
            torch.zeros(outers, store.dim + 1, target.width, requires_grad=True)
            for target in targets
        ]

    def weights(self) -> Any:
        """[targets, outers, layers]"""
        return self.a.softmax(-1)

    def scores(self, chunk: np.ndarray) -> list[Any]:
        """Of every target [outers, rows, columns], for features [layers, rows, dim]."""
        import torch

        layers, rows, dim = chunk.shape
        flat = self.weights().reshape(-1, layers)
        mixed = flat @ torch.from_numpy(chunk).reshape(layers, rows * dim)
        mixed = mixed.reshape(len(self.targets), self.outers, rows, dim)
        return [
            one @ head[:, :-1] + head[:, -1:] for one, head in zip(mixed, self.heads, strict=True)
        ]


def _train(store, targets, plan, settings, seed):
    """Softmax weights [targets, outers, layers]."""
    import torch

    parts = [inner_rows(plan, outer, number) for number, outer in enumerate(plan.outer)]
    fitted = np.zeros((len(parts), len(plan.fold)), dtype=bool)
    for number, (train, _) in enumerate(parts):
        fitted[number, train] = True
    mixes = _Mixes(store, targets, len(parts))
    rates = [(mixes.a, RATE), *((head, settings.rate) for head in mixes.heads)]
    optimiser = torch.optim.Adam([{"params": [one], "lr": rate} for one, rate in rates])
    best = np.full((len(targets), len(parts)), -np.inf)
    waited = np.zeros(best.shape, dtype=int)
    kept = mixes.weights().detach().numpy().copy()
    rng = seeded(seed, "mix", "epochs")
    for _ in range(min(settings.epochs, -(-STEPS // store.chunks))):
        for number in rng.permutation(store.chunks):
            places = store.places(number)
            mask = torch.from_numpy(fitted[:, places])
            optimiser.zero_grad()
            loss = torch.zeros(())
            for target, scores in zip(targets, mixes.scores(store.read(number)), strict=True):
                losses = row_losses(target, scores, places) * mask
                loss = loss + (losses.sum(1) / mask.sum(1).clamp(min=1)).sum()
            loss.backward()
            optimiser.step()
        reached = _inner_scores(store, mixes, [stop for _, stop in parts])
        better = (reached > best) & (waited < settings.patience)
        waited = np.where(better, 0, waited + 1)
        best[better] = reached[better]
        kept[better] = mixes.weights().detach().numpy()[better]
        if (waited >= settings.patience).all():
            break
    return kept


def _inner_scores(store, mixes, stops):
    """The first metric on the rows to stop on: [targets, outers]."""
    import torch

    scores = [
        np.empty((len(stops), len(store.order), target.width), dtype=np.float32)
        for target in mixes.targets
    ]
    with torch.no_grad():
        for number in range(store.chunks):
            found = mixes.scores(store.read(number))
            for whole, part in zip(scores, found, strict=True):
                whole[:, store.places(number)] = part.numpy()
    result = np.empty((len(scores), len(stops)))
    for k, target in enumerate(mixes.targets):
        for number, stop in enumerate(stops):
            inner = InnerScores(target)
            inner.add(stop, scores[k][number, stop][:, None])
            result[k, number] = inner.best()[1]
    return np.where(np.isnan(result), -np.inf, result)


def _refitted(store, target, plan, weights, settings):
    """Ridge on one target's mixed features, fold by fold; and on them without one layer each."""
    predictions, without = [], [[] for _ in range(store.layers)]
    for w, outer in zip(weights, plan.outer, strict=True):
        mixed = np.empty((len(store.order), store.dim), dtype=np.float32)
        for number in range(store.chunks):
            chunk = store.read(number)
            flat = w @ chunk.reshape(store.layers, -1)
            mixed[store.places(number)] = flat.reshape(chunk.shape[1:])
        features = Features(mixed, np.arange(len(mixed)), "the mix of layers")
        chosen = choose_ridge(features, [target], replace(plan, outer=(outer,)), settings)[0][0]
        test = plan.rows(outer.test)
        scores = predict(features, test, chosen.weights, chosen.intercepts)[:, 0]
        predictions.append(Prediction(scores, chosen.strength, chosen.inner))
        head = chosen.weights[:, 0] * features.scale[:, None]
        rest = chosen.intercepts[0] - features.centre @ head
        alone = _alone(store, head, test)
        for layer in range(store.layers):
            others = scores - rest - w[layer] * alone[layer]
            without[layer].append(others / max(1 - w[layer], 1e-6) + rest)
        del mixed, features
    return Mixed(predictions, weights, without)


def _alone(store, head, test):
    """What each layer gives a head [dim, columns] of the test rows: [layers, rows, columns]."""
    row = np.full(len(store.order), -1)
    row[test] = np.arange(len(test))
    result = np.empty((store.layers, len(test), head.shape[1]), dtype=np.float32)
    for number in range(store.chunks):
        rows = row[store.places(number)]
        result[:, rows[rows >= 0]] = store.read(number)[:, rows >= 0] @ head
    return result
