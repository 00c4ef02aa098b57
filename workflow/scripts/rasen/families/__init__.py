"""The contract between a kind of model and everything that interpolates, runs and measures it.

A family is one file with one class. What is known of it without importing it stands in
`rasen.study.registry`; nothing else in Rasen knows a model's name.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from rasen.study.registry import FAMILIES
from rasen.weights.init_rules import InitRule
from rasen.weights.lazy_tensors import LazyTensor

Batch = Mapping[str, torch.Tensor]  # {field: [clip, time, ...]} zero-padded, "lengths": [clip]


class Family(ABC):
    """One model: how to build it, load it, initialise it, feed it and read it.

    `folder` holds the trained checkpoint; `options` are the family's own settings. Making one
    reads the architecture and loads no weights.
    """

    reads: ClassVar[str]  # what a stimulus is: "audio" or "text"
    padded: ClassVar[bool] = True  # False: padding changes a clip, so batches have one length
    layers: list[str]  # what each layer of `hidden` is, in order

    def __init__(self, folder: Path | str, options: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.options = options

    @abstractmethod
    def build(self, device: str, dtype: str) -> torch.nn.Module:
        """The network with storage and no values in it ("meta": not even storage)."""

    @abstractmethod
    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        """The tensors of a checkpoint folder of this model, named as in the network."""

    @abstractmethod
    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        """How every tensor of the network is initialised, by the rule "official" or "hf"."""

    @abstractmethod
    def encode(self, stimulus: np.ndarray | str, device: str) -> dict[str, np.ndarray]:
        """One stimulus as model inputs {field: array [time, ...]}.

        stimulus: float32 samples [time] at the model's rate, or a string. Weights that are not
        interpolated (a codec, a tokenizer) are used here and nowhere else.
        """

    @property
    def frame_rate(self) -> float | None:
        """Frames of `hidden` per second; None of what has no seconds."""
        return None

    @abstractmethod
    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        """Number of frames that `hidden` gives of clips with inputs of these lengths [clip]."""

    @abstractmethod
    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """(layer, its output [clip, frame, dim]) of each wanted layer (ascending) in turn.

        Frames are those of the stimulus: special tokens in front of it are left out. Whoever asks
        is done with a layer before the next one is computed, so that large models need memory for
        one.
        """

    @abstractmethod
    def export(self, network: torch.nn.Module, folder: Path) -> None:
        """Save as a checkpoint folder that the model's own library opens."""


class LossFamily(Family):
    """A model with a loss of its own, from which perplexity and gradients come."""

    loss_groups: list[str]  # names of the loss's parts: one per codebook, or one in all

    @property
    @abstractmethod
    def cardinality(self) -> int:
        """How many tokens a target is one of."""

    @property
    def prefix(self) -> int:
        """Positions in front of the stimulus in the forward pass of `losses` (special tokens)."""
        return 0

    def places(self, positions: int) -> torch.Tensor:
        """Which of so many positions of that forward pass are the stimulus's frames, in order."""
        return torch.arange(self.prefix, positions)

    def training_loss(
        self, network: torch.nn.Module, batch: Batch, targets: torch.Tensor
    ) -> torch.Tensor:
        """What a batch adds to the loss that the model was trained on, over all of the data.

        targets: their number [group] in all of the data. By default the mean over groups
        (codebooks) of the mean over targets.
        """
        sums, _ = self.losses(network, batch)
        return (sums.sum(0) / targets).mean()

    @abstractmethod
    def losses(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed cross entropy and number of targets, each [clip, group]."""

    @abstractmethod
    def wanted(self, batch: Batch) -> torch.Tensor:
        """The tokens that `losses` asks for [clip, group, time], -1 where there is no target."""

    @abstractmethod
    def targets(self, lengths: torch.Tensor) -> torch.Tensor:
        """Number of targets [clip, group] of clips with these lengths, without running them."""

    @abstractmethod
    def layer_modules(self, network: torch.nn.Module) -> list[torch.nn.Module]:
        """The modules whose outputs the layers of `hidden` are, from layer 1 on, in order.

        Replacing what such a module gives replaces that layer for the rest of the network.
        """


class AudioFamily(Family):
    """A model that listens."""

    reads = "audio"

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Of the samples that `encode` takes, in Hz."""

    @property
    @abstractmethod
    def frame_rate(self) -> float:
        """Frames of `hidden` per second of sound."""


class TextFamily(Family):
    """A model that reads text: its inputs as words, and the vectors of its vocabulary."""

    reads = "text"

    @abstractmethod
    def words(self, inputs: Mapping[str, np.ndarray]) -> list[str]:
        """One string per frame of a clip's inputs {field: [time, ...]}, as people read it."""

    @abstractmethod
    def vocabulary(self) -> tuple[list[str], np.ndarray]:
        """All words and the trained model's input vectors of them [words, dim]."""


def open_family(name: str, folder: Path | str, options: Mapping[str, Any] | None = None) -> Family:
    """The Family object of one model; its module is imported only now."""
    return import_module(FAMILIES[name].module).FAMILY(folder, options or {})
