"""The layers above one trained with a linear head, all below it frozen: what a task can gain there.

Blocks after layer k are trained by AdamW, with a head on the clip's vector of the last layer: the
one that the dump keeps, standardised as it was before the training. What stands before the first
block stays as it is, and so does a final norm: behind it are a mean and the head, which can do
whatever its gain and bias can. Dropout is off, and batch norms keep their statistics, so that equal
seeds give equal weights on one CPU.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rasen.errors import RasenError, raise_all
from rasen.families import Family
from rasen.io.inputs import Inputs
from rasen.measure.activations import chosen_layers, pooling
from rasen.measure.batches import batches
from rasen.measure.blocks import blocks
from rasen.probes.folds import Plan
from rasen.probes.mlp import initialise, inner_rows, predict, seeded, train_network
from rasen.probes.scoring import Prediction
from rasen.probes.tasks import Target


@dataclass(frozen=True)
class FreezingSettings:
    """Which layers stand still, and how the others are trained; `probes.freezing` of the config.

    layers:    layers up to which the network is frozen (negative ones from the end): 0 trains all
               blocks, the last one the head alone
    folds:     how many of the test folds are run
    epochs, patience: at most, and without a better value on an inner fold
    batch:     clips per step
    rate, head_rate: of AdamW, for the blocks and for the head
    """

    layers: Sequence[int]
    folds: int = 1
    epochs: int = 30
    patience: int = 5
    batch: int = 16
    rate: float = 3e-5
    head_rate: float = 3e-3

    def __post_init__(self) -> None:
        mistakes = [] if self.layers else ["layers: none; give one or more"]
        for name in ("folds", "epochs", "patience", "batch"):
            if getattr(self, name) < 1:
                mistakes.append(f"{name}: {getattr(self, name)}; give 1 or more")
        for name in ("rate", "head_rate"):
            if not getattr(self, name) > 0:
                mistakes.append(f"{name}: {getattr(self, name)}; give a number above 0")
        raise_all(f"probes.freezing.{mistake}" for mistake in mistakes)


class Reader(torch.nn.Module):
    """A linear head on vectors of clips, and the blocks that are trained with it.

    Only these are parts of this module, so that only they are kept of the best epoch. `vectors`
    makes vectors [clip, dim] of a batch, through the whole network.
    """

    def __init__(
        self, vectors: Callable[[Any], torch.Tensor], trained: Sequence[torch.nn.Module],
        mean: torch.Tensor, scale: torch.Tensor, width: int, rng: np.random.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        self.vectors, self.mean, self.scale = vectors, mean, scale
        self.trained = torch.nn.ModuleList(trained)
        self.head = torch.nn.Linear(len(mean), width)
        initialise(self.head, rng)
        self.head.to(mean.device)

    def forward(self, batch: Any) -> torch.Tensor:
        """Scores [clip, columns], in main memory."""
        return self.head((self.vectors(batch) - self.mean) * self.scale).cpu()

    def train(self, mode: bool = True) -> "Reader":
        """Nothing: a network in eval mode stays in it."""
        return self


class Finetuning:
    """Fits of one network to tasks of its clips, each from the weights that it came with."""

    def __init__(
        self, family: Family, network: torch.nn.Module, inputs: Inputs, pool: str,
        settings: FreezingSettings, device: str, seed: int, batch: int,
    ) -> None:  # fmt: skip
        """pool: as of the dump, "mean" or "last"

        batch: clips in a forward pass without training, on which nothing depends
        """
        self.family, self.inputs, self.pool = family, inputs, pool
        self.settings, self.device, self.seed = settings, device, seed
        self.layers = chosen_layers(settings.layers, family.layers, "probes.freezing.layers")
        self.blocks = blocks(network)
        self.network = network
        if len(self.blocks) != len(family.layers) - 1:
            raise RasenError(
                f"probes.freezing: a {type(network).__name__} has {len(self.blocks)} blocks, but "
                f"{len(family.layers) - 1} layers; set it to null for this model"
            )
        with torch.no_grad():  # not inference mode: a network may keep tables for the training
            parts = batches(family, inputs, batch, device, "the last layer")
            self.last = torch.cat([self.vectors(part).cpu() for part in parts]).numpy()

    def vectors(self, batch: Any) -> torch.Tensor:
        """The last layer of clips, pooled over time as in the dump: [clip, dim]."""
        last = len(self.family.layers) - 1
        ((_, hidden),) = self.family.hidden(self.network, batch, [last])
        lengths = self.family.frames(batch["lengths"])
        pooled = pooling(self.pool, lengths, hidden.shape[1], self.family.frame_rate)
        return pooled(hidden.to(self.device)).float()

    def fit(self, layer: int, target: Target, plan: Plan) -> list[Prediction]:
        """Predictions of the outer folds of a plan, with the layers up to `layer` frozen."""
        return [self._fit(layer, target, plan, number) for number in range(len(plan.outer))]

    def _fit(self, layer, target, plan, number):
        outer = plan.outer[number]
        train, stop = inner_rows(plan, outer, number)
        rng = seeded(self.seed, "finetune", target.name, plan.split, number, layer)
        trained = self.blocks[layer:]
        mean, scale = _moments(self.last[target.rows[train]], self.device)
        vectors, of_rows = self.vectors, self._clips
        if not trained:
            vectors, of_rows = torch.nn.Identity(), self._last
        with _trainable(trained):
            reader = Reader(vectors, trained, mean, scale, target.width, rng)
            optimiser = torch.optim.AdamW(
                [
                    {"params": list(reader.trained.parameters()), "lr": self.settings.rate},
                    {"params": list(reader.head.parameters()), "lr": self.settings.head_rate},
                ]
            )

            def parts(places):
                for chosen in self._parts(places, target.rows):
                    yield chosen, of_rows(target.rows[chosen])

            inner = train_network(reader, optimiser, target, train, stop, parts, self.settings, rng)
            return Prediction(predict(reader, plan.rows(outer.test), parts), np.nan, inner)

    def _clips(self, rows):
        return self.inputs.picked(rows, self.device)

    def _last(self, rows):
        return torch.from_numpy(self.last[rows]).to(self.device)

    def _parts(self, places: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Places in batches, in their order where clips of any lengths may be in one."""
        lengths = self.inputs.lengths[rows[places]]
        if self.family.padded:
            lengths = np.zeros_like(lengths)
        size, parts = self.settings.batch, []
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            parts += [same[start : start + size] for start in range(0, len(same), size)]
        yield from (places[part] for part in sorted(parts, key=lambda part: part[0]))


@contextmanager
def _trainable(parts):
    """Modules whose weights may change inside the block, and are as before after it."""
    before = [
        {name: tensor.clone() for name, tensor in part.state_dict().items()} for part in parts
    ]
    for part in parts:
        part.requires_grad_(True)
    try:
        yield
    finally:
        for part, state in zip(parts, before, strict=True):
            part.load_state_dict(state)
            part.requires_grad_(False)
            part.zero_grad(set_to_none=True)


def _moments(x, device):
    """Mean and 1 / standard deviation [d] of rows; 0 for what is constant there."""
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    varies = deviation > 1e-6 * (1 + np.abs(mean))
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
    return (
        torch.from_numpy(mean.astype(np.float32)).to(device),
        torch.from_numpy(scale.astype(np.float32)).to(device),
    )
