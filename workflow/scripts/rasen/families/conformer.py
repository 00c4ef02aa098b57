"""What the families muq and musicfm share: one network, whose checkpoints are stored differently.

What is walked is the network that runs. The quantiser of the masked loss, and what a checkpoint
holds that takes no part, stay as trained.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.families import AudioFamily, Batch, LossFamily
from rasen.networks import conformer, masked_prediction
from rasen.networks.conformer import MusicConformer, Sizes
from rasen.weights.default_init import default_init_rules
from rasen.weights.init_rules import InitRule
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import require_fit

QUANTISER = ("random_projection", "codebook")
NO_PART = (  # tensors that no forward pass reads, or that are computed
    "preprocessor_",
    "conformer.pos_conv_embed.",
    "conformer.embed_positions.",
    "cls_token",
    "recon_proj.",
)


class ConformerFamily(LossFamily, AudioFamily):
    """A checkpoint of `MusicConformer`; a subclass says where sizes and tensors stand."""

    padded = False  # neither the convolutions nor transformers' conformer leave padding out

    def __init__(self, folder: Path | str, options: Mapping[str, Any]) -> None:
        super().__init__(folder, options)
        self.sizes = self.read_sizes()
        self.loss_groups = ["code"]
        depth = self.sizes.depth
        self.layers = [
            "output of the convolutions",
            *(f"output of block {layer}" for layer in range(1, depth)),
            f"output of block {depth} after the final layer norm",
        ]

    @abstractmethod
    def read_sizes(self) -> Sizes:
        """The network's sizes, from the checkpoint folder."""

    @abstractmethod
    def stored(self, folder: Path | str) -> dict[str, LazyTensor]:
        """Every tensor of a checkpoint folder, named as in the network."""

    @abstractmethod
    def save(self, tensors: dict[str, torch.Tensor], folder: Path) -> None:
        """Write a checkpoint folder in the genuine format; tensors are named as in the network."""

    # --- architecture and weights

    def build(self, device: str, dtype: str) -> torch.nn.Module:
        with torch.device("meta"):
            network = MusicConformer(self.sizes).to(getattr(torch, dtype))
        if device != "meta":
            network.to_empty(device=device)
            network.fill_tables()
        return network.eval().requires_grad_(False)

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        kept = (*NO_PART, "quantizer_", "rvq.")
        tensors = {n: t for n, t in self.stored(folder).items() if not n.startswith(kept)}
        require_fit(self.build("meta", "float32"), tensors, folder)
        return tensors

    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        # The official code sets no rule of its own.
        return default_init_rules(self.build("meta", "float32"))

    def export(self, network: torch.nn.Module, folder: Path) -> None:
        walked = network.state_dict()
        kept = {n: t.read() for n, t in self.stored(self.folder).items() if n not in walked}
        self.save(kept | walked, folder)

    # --- stimuli

    @property
    def sample_rate(self) -> int:
        return conformer.SAMPLE_RATE

    @property
    def frame_rate(self) -> float:
        return conformer.FRAME_RATE

    def encode(self, stimulus: np.ndarray | str, device: str) -> dict[str, np.ndarray]:
        if len(stimulus) < conformer.LEAST:
            raise RasenError(
                f"{len(stimulus)} samples at {self.sample_rate} Hz are less than half a window "
                f"({conformer.LEAST} samples); use longer clips"
            )
        return {"samples": np.asarray(stimulus, np.float32)}

    # --- running

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        return conformer.frames(lengths)

    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        yield from zip(layers, network.layers(batch["samples"], layers), strict=True)

    def layer_modules(self, network: torch.nn.Module) -> list[torch.nn.Module]:
        return [*network.conformer.layers[:-1], network.conformer.layer_norm]

    def losses(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        quantiser = self.quantiser(str(batch["samples"].device))
        loss, count = masked_prediction.masked_losses(network, batch["samples"], quantiser)
        return loss[:, None], count[:, None]

    def wanted(self, batch: Batch) -> torch.Tensor:
        samples = batch["samples"]
        quantiser = self.quantiser(str(samples.device))
        spectrogram = self.build(str(samples.device), "float32").spectrogram(samples)
        # every frame is asked for in so many passes
        return masked_prediction.codes(spectrogram, quantiser).repeat(1, masked_prediction.MASKED)[
            :, None
        ]

    @property
    def cardinality(self) -> int:
        return len(self.quantiser("cpu")["codebook"])

    def targets(self, lengths: torch.Tensor) -> torch.Tensor:
        return masked_prediction.targets(lengths)[:, None]

    @cache  # noqa: B019 (a family lives as long as its process)
    def quantiser(self, device: str) -> dict[str, torch.Tensor]:
        """The trained model's random projection and codebook."""
        stored = {
            name.split(".")[-1]: tensor
            for name, tensor in self.stored(self.folder).items()
            if name.startswith("quantizer_")
        }
        if missing := [name for name in QUANTISER if name not in stored]:
            raise RasenError(
                f"{self.folder}: has no quantiser of its own ({', '.join(missing)} are not in it), "
                "so its loss cannot be measured; set `gradient` and `perplexity` of this model to "
                "null"
            )
        return {name: stored[name].read().float().to(device) for name in QUANTISER}
