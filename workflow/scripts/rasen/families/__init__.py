"""The contract between a kind of model and everything that walks, runs and measures it.

A family is one file with one class. Nothing else in Rasen knows a model's name.
"""

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import ClassVar, NamedTuple

TRANSFORMERS = ["*.safetensors", "pytorch_model*.bin"]


class Entry(NamedTuple):
    """What is known of a family before it is imported."""

    module: str  # with the class under the name FAMILY
    files: list[str]  # that hold its weights, best first


FAMILIES = {
    "musicgen": Entry("rasen.families.musicgen", TRANSFORMERS),
    "audiocraft": Entry("rasen.families.audiocraft", ["state_dict.bin"]),
    "causal_lm": Entry("rasen.families.causal_lm", TRANSFORMERS),
}


class Family(ABC):
    """One model: how to build it, initialise it, feed it and read it.

    `folder` holds the trained checkpoint; `options` are the family's own settings. Making one
    reads the architecture and loads no weights.
    """

    reads: ClassVar[str]  # what a stimulus is: "audio" or "text"
    sample_rate: int  # of the sound that `encode` wants (audio families)
    layers: list[str]  # what each entry of `hidden` is, in order
    front: ClassVar[int] = 0  # positions that `losses` reads before the first frame
    lead: int = 0  # frames in front of every clip that are no stimulus (a BOS token)
    groups: list[str]  # names of the loss's parts: one a codebook, or one in all

    def __init__(self, folder, options):
        self.folder = Path(folder)
        self.options = options

    @abstractmethod
    def network(self, device, dtype):
        """The walked network with storage and no values in it ("meta": not even storage)."""

    @abstractmethod
    def checkpoint(self, folder):
        """{name as in the network: Lazy} of a checkpoint folder of this model."""

    @abstractmethod
    def laws(self, rule):
        """{name: [Law, ...]} of the rule "official" or "hf" for every tensor of the network."""

    @abstractmethod
    def encode(self, stimulus, device):
        """One stimulus as model inputs {field: array [time, ...]}.

        stimulus: float32 samples [time] at `sample_rate`, or a string. Weights that are not
        walked (a codec, a tokenizer) are used here and nowhere else.
        """

    @abstractmethod
    def hidden(self, network, batch):
        """Outputs [clip, frame, dim] of every layer, and the valid frames of each clip [clip].

        batch: {field: tensor [clip, time, ...]} padded with zeros, and "lengths" [clip].
        """

    @abstractmethod
    def sites(self, network):
        """The modules whose outputs the entries of `hidden` are, from entry 1 on, in order.

        Exchanging what such a module gives exchanges that layer for the rest of the network.
        """

    @abstractmethod
    def losses(self, network, batch):
        """Summed cross entropy and number of targets, each [clip, group]."""

    @abstractmethod
    def targets(self, lengths):
        """Number of targets [clip, group] of clips with these lengths, without running them."""

    def words(self, fields):
        """One string a frame of a clip's inputs {field: [time, ...]}, as people read; or None."""
        return None

    def vocabulary(self):
        """All words and the trained model's vectors of them [words, dim]; or None."""
        return None

    @abstractmethod
    def export(self, network, folder):
        """Save as a checkpoint folder that the model's own library opens."""


def open_family(name, folder, options=None):
    """The Family object of one model; its module is imported only now."""
    return import_module(FAMILIES[name].module).FAMILY(folder, options or {})
