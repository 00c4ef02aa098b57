"""A probe with one hidden layer, by Adam, stopped early on an inner fold.

It reads what is not linear in the features (an exclusive or), and says by that what a linear probe
cannot see. One of the inner folds is left out to stop on; the others are fitted, with equal seeds
to equal weights on one machine.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from rasen.probes.folds import Outer, Plan
from rasen.probes.gram import Features
from rasen.probes.logistic import moments
from rasen.probes.scoring import InnerScores, Prediction
from rasen.probes.settings import ProbeSettings
from rasen.probes.tasks import Target
from rasen.seeds import generator


class Stopping(Protocol):
    """When a training ends: after so many epochs, or so many without a better one."""

    @property
    def epochs(self) -> int: ...

    @property
    def patience(self) -> int: ...


Batches = Callable[[np.ndarray], Iterator[tuple[np.ndarray, Any]]]  # places -> (places, inputs)


def fit_mlp(
    features: Features, targets: Sequence[Target], plan: Plan, settings: ProbeSettings, seed: int
) -> list[list[Prediction]]:
    """Predictions of each target, of each outer fold of the plan."""
    import torch

    def fit(target, number, outer):
        train, stop = inner_rows(plan, outer, number)
        mean, unscale = moments(features, train)
        start = seeded(seed, "mlp", target.name, target.row, plan.split, number)
        network = torch.nn.Sequential(
            torch.nn.Linear(features.dim, settings.hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(settings.hidden, target.width),
        )
        initialise(network, start)

        def batches(places):
            for begin in range(0, len(places), settings.batch):
                chosen = places[begin : begin + settings.batch]
                yield chosen, torch.from_numpy((features.take(chosen) - mean) * unscale)

        optimiser = torch.optim.Adam(network.parameters(), lr=settings.rate)
        inner = train_network(network, optimiser, target, train, stop, batches, settings, start)
        return Prediction(predict(network, plan.rows(outer.test), batches), np.nan, inner)

    return [
        [fit(target, number, outer) for number, outer in enumerate(plan.outer)]
        for target in targets
    ]


def inner_rows(plan: Plan, outer: Outer, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to fit and rows to stop on: one inner fold, the next one for each test fold."""
    left_out, fold = outer.inner[number % len(outer.inner)]
    return plan.without(left_out), plan.rows(fold)


def seeded(seed: int, *names: object) -> np.random.Generator:
    """Random numbers of one probe."""
    return generator(seed, "probes", *names)


def initialise(network: Any, rng: np.random.Generator) -> None:
    """Weights as torch draws them, uniform to 1 / sqrt(inputs), from our own numbers."""
    import torch

    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear):
            bound = layer.in_features**-0.5
            for tensor in (layer.weight, layer.bias):
                drawn = rng.uniform(-bound, bound, tuple(tensor.shape)).astype(np.float32)
                tensor.data.copy_(torch.from_numpy(drawn))


def train_network(
    network: Any, optimiser: Any, target: Target, train: np.ndarray, stop: np.ndarray,
    batches: Batches, settings: Stopping, rng: np.random.Generator,
) -> float:  # fmt: skip
    """Fit until the first metric on the rows `stop` no longer rises; keep the best weights.

    optimiser: of the network's parameters
    Returns the metric reached.
    """
    best, kept, waited = -np.inf, _copy(network), 0
    for _ in range(settings.epochs):
        network.train()
        for places, inputs in batches(rng.permutation(train)):
            optimiser.zero_grad()
            row_losses(target, network(inputs), places).mean().backward()
            optimiser.step()
        inner = InnerScores(target)
        inner.add(stop, predict(network, stop, batches)[:, None])
        score = inner.best()[1]
        if score > best:
            best, kept, waited = score, _copy(network), 0
        else:
            waited += 1
            if waited >= settings.patience:
                break
    network.load_state_dict(kept)
    return float(best)


def predict(network: Any, places: np.ndarray, batches: Batches) -> np.ndarray:
    """Scores [places, columns] of ascending places, which may be in the batches in any order."""
    import torch

    network.eval()
    with torch.no_grad():
        found = [(chosen, network(inputs).numpy()) for chosen, inputs in batches(places)]
    order = np.argsort(np.concatenate([chosen for chosen, _ in found]))
    return np.concatenate([scores for _, scores in found])[order]


def row_losses(target: Target, scores: Any, places: np.ndarray) -> Any:
    """Cross-entropy of classes or tags, squared error of numbers or events: [..., rows].

    scores: [..., rows, columns] of the rows `places`
    """
    import torch
    from torch.nn import functional

    if target.task.kind == "classes":
        truth = torch.from_numpy(target.truth[places]).expand(scores.shape[:-1])
        return functional.cross_entropy(scores.movedim(-1, 1), truth, reduction="none")
    y = torch.from_numpy(target.labels(places)).expand(scores.shape)
    if target.task.kind in ("numbers", "frames"):  # scores of events: -1 to 1
        return functional.mse_loss(scores, y, reduction="none").mean(-1)
    losses = functional.binary_cross_entropy_with_logits(scores, (y + 1) / 2, reduction="none")
    return losses.mean(-1)


def _copy(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
