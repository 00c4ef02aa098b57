"""SongBloom [Yang et al. 2025]: a folder with its YAML and its tensors, ours or the public one.

A clip of sound is read as a song of which nothing is told: no lyrics (the one id 0), no prompt, no
end; windows of the songs (`rasen.songbloom.stimuli`) come with their lyrics and prompt. A clip's
sketch and latents come from codecs that are named beside the model (MuQ and a codebook, a VAE),
which stay as trained. Clips are encoded in the environment of these, where the network is not
imported: what runs it stands in `songbloom_layers`.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.families import AudioFamily, Batch, LossFamily
from rasen.io.audio import resample
from rasen.io.hashes import hash_file, hash_folder
from rasen.networks import muq as muqs
from rasen.networks import oobleck
from rasen.networks.codebook import Codebook, load_codebook, nearest_codes
from rasen.networks.frames import FRAME_RATE, pad_to_frames
from rasen.networks.muq import Muq, open_muq
from rasen.networks.songbloom_checkpoint import read_about, read_tensors, write_checkpoint
from rasen.networks.vae import Vae, open_vae
from rasen.weights.init_rules import InitRule
from rasen.weights.lazy_tensors import LazyTensor


def clip_inputs(latents: np.ndarray, sketch: np.ndarray) -> dict[str, np.ndarray]:
    """A clip, and the seed of what training draws at random for it."""
    seed = zlib.crc32(latents.tobytes(), zlib.crc32(sketch.tobytes()))
    # A clip's length is that of its first field by name: the latents.
    return {"latents": latents, "sketch": sketch, "seed": np.array([seed], np.int64)}


class SongBloomFamily(LossFamily, AudioFamily):
    """Layers of the decoder and, at the `times` of the options, of the DiT; 25 frames a second."""

    def __init__(self, folder: Path | str, options: Mapping[str, Any]) -> None:
        super().__init__(folder, options)
        self.about = read_about(folder)
        self.config = self.about.config
        self.times = list(options.get("times", []))
        self.loss_groups = ["sketch"]
        depth, blocks = self.config.lm_layers, self.config.diff_layers
        self.layers = [
            "embeddings of the sketch",
            *(f"output of the decoder's block {block}" for block in range(1, depth)),
            f"output of the decoder's block {depth} after the final norm",
            *(
                f"output of the DiT's block {block} at t = {time:g}"
                for time in self.times
                for block in range(1, blocks + 1)
            ),
        ]

    # --- architecture and weights

    def build(self, device: str, dtype: str) -> torch.nn.Module:
        from rasen.networks.songbloom import SongBloom

        with torch.device("meta"):
            network = SongBloom(self.config).to(getattr(torch, dtype))
        if device != "meta":
            network.to_empty(device=device)
            network.fill_tables()
        return network.eval().requires_grad_(False)

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        return read_tensors(folder, self.config)

    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        from rasen.networks.songbloom import SongBloom
        from rasen.networks.songbloom_init import init_rules

        with torch.device("meta"):
            return init_rules(SongBloom(self.config))

    def export(self, network: torch.nn.Module, folder: Path) -> None:
        about = self.about
        write_checkpoint(folder, network.state_dict(), about.config, about.tokens, about.about)

    # --- stimuli

    @property
    def sample_rate(self) -> int:
        return oobleck.SAMPLE_RATE

    @property
    def frame_rate(self) -> float:
        return FRAME_RATE

    def encode(self, stimulus: np.ndarray | str, device: str) -> dict[str, np.ndarray]:
        """latents [T, 64] (the VAE's means), sketch [T], seed [1] of what training draws at random.

        Whole patches, as in training; what is left at the end is dropped.
        """
        patch = self.config.patch
        frames = len(stimulus) * FRAME_RATE // self.sample_rate // patch * patch
        if not frames:
            raise RasenError(
                f"{len(stimulus) / self.sample_rate:.3f} s are less than one patch "
                f"({patch / FRAME_RATE:g} s); use longer clips"
            )
        sound = pad_to_frames(np.asarray(stimulus, np.float32), self.sample_rate)
        low = resample(sound, self.sample_rate, muqs.SAMPLE_RATE)
        states = self.muq(device).embed(low, int(self.options["muq_layer"]))
        sketch = nearest_codes(self.codebook(), states, device=device)[:frames].astype(np.int32)
        latents = self.vae(device).encode(np.stack([sound, sound]))[0][:frames]
        return clip_inputs(latents, sketch)

    @cache  # noqa: B019 (a family lives as long as its process)
    def muq(self, device: str) -> Muq:
        """The MuQ whose states become the sketch."""
        return open_muq(self.options["muq"], device)

    @cache  # noqa: B019
    def codebook(self) -> Codebook:
        """The codebook of the sketch."""
        path, layer = self.options["codebook"], int(self.options["muq_layer"])
        book = load_codebook(path)
        if len(book.vectors) != self.config.codes:
            raise RasenError(
                f"{path}: has {len(book.vectors)} codes, the model {self.config.codes}; give the "
                "codebook that it was trained with"
            )
        if int(book.metadata.get("layer", layer)) != layer:
            raise RasenError(
                f"{path}: is of layer {book.metadata['layer']}, muq_layer is {layer}; make them "
                "agree"
            )
        self._require_same("codebook", hash_file(path)[:16], path)
        return book

    @cache  # noqa: B019
    def vae(self, device: str) -> Vae:
        """The VAE of the latents."""
        folder = self.options["vae"]
        self._require_same("vae", hash_folder(folder), folder)
        return open_vae(folder, device)

    def _require_same(self, what: str, found: str, path: str) -> None:
        """Refuse another codec than that of which the checkpoint says that it was trained on."""
        wanted = self.about.about.get(what, found)
        if wanted != found:
            raise RasenError(
                f"{path}: another {what} (hash {found}) than {self.folder} was trained on "
                f"({wanted}); give that one"
            )

    # --- running

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths

    def places(self, positions: int) -> torch.Tensor:
        from rasen.families.songbloom_layers import sketch_places

        rows = self.config.rows
        return rows + sketch_places(positions - rows, self.config.patch)

    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        from rasen.families.songbloom_layers import layer_outputs

        yield from layer_outputs(network, batch, layers, self.times)

    def layer_modules(self, network: torch.nn.Module) -> list[torch.nn.Module]:
        decoder, dit = network.ar_transformer, list(network.nar_dit.layers)
        return [*decoder.layers[:-1], decoder.norm, *dit * len(self.times)]

    def losses(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        from rasen.families.songbloom_layers import sketch_loss

        loss, _ = sketch_loss(network, batch)
        return loss[:, None], batch["lengths"][:, None]

    @property
    def cardinality(self) -> int:
        return self.config.codes

    def wanted(self, batch: Batch) -> torch.Tensor:
        sketch = batch["sketch"].long()
        past = torch.arange(sketch.shape[1], device=sketch.device) >= batch["lengths"][:, None]
        return sketch.masked_fill(past, -1)[:, None]

    def targets(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths[:, None]

    def training_loss(
        self, network: torch.nn.Module, batch: Batch, targets: torch.Tensor
    ) -> torch.Tensor:
        """That of the sketch and a tenth of the flow's, with times and noise of each clip's own."""
        from rasen.families.songbloom_layers import FLOW_WEIGHT, flow_loss, sketch_loss

        # a constant of the architecture, which no training moves
        network.condition_provider.conditioners["lyrics"].blank_emb.requires_grad_(False)
        loss, hidden = sketch_loss(network, batch)
        patches = targets.sum() / self.config.patch  # clips are whole patches long
        flow = flow_loss(network, batch, hidden)
        return loss.sum() / targets.sum() + FLOW_WEIGHT * flow / patches


FAMILY = SongBloomFamily
