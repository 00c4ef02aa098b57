"""SongBloom [Yang et al. 2025]: a folder with its YAML and its tensors, ours or the public one.

A clip is read as a song of which nothing is told: no lyrics (the one id 0), no prompt, no end. Its
sketch and latents come from codecs that are named beside the model (MuQ and a codebook, a VAE),
which stay as trained.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from transformers.masking_utils import create_causal_mask

from rasen.errors import RasenError
from rasen.families import AudioFamily, Batch, LossFamily
from rasen.io.audio import resample
from rasen.io.hashes import hash_file, hash_folder
from rasen.networks import muq as muqs
from rasen.networks import oobleck, songbloom_init
from rasen.networks.codebook import Codebook, load_codebook, nearest_codes
from rasen.networks.frames import FRAME_RATE, pad_to_frames
from rasen.networks.muq import Muq, open_muq
from rasen.networks.songbloom import IGNORED, SongBloom, lm_targets
from rasen.networks.songbloom_checkpoint import read_about, read_tensors, write_checkpoint
from rasen.networks.songbloom_dit import rotations
from rasen.networks.vae import Vae, open_vae
from rasen.seeds import generator
from rasen.weights.init_rules import InitRule
from rasen.weights.lazy_tensors import LazyTensor

FLOW_WEIGHT = 0.1  # of the flow's loss beside the sketch's in the training loss, as in the paper
SEED = 0  # of the noise in which layers of the DiT are read


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
        with torch.device("meta"):
            network = SongBloom(self.config).to(getattr(torch, dtype))
        if device != "meta":
            network.to_empty(device=device)
            network.fill_tables()
        return network.eval().requires_grad_(False)

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        return read_tensors(folder, self.config)

    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        network = self.build("meta", "float32")
        assert isinstance(network, SongBloom)
        return songbloom_init.init_rules(network)

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
        seed = zlib.crc32(latents.tobytes(), zlib.crc32(sketch.tobytes()))
        # A clip's length is that of its first field by name: the latents.
        return {"latents": latents, "sketch": sketch, "seed": np.array([seed], np.int64)}

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
        return self.config.rows + self._of_sketch(positions - self.config.rows)

    def _of_sketch(self, positions):
        """Where the sketch stands in so many rows: after BOS; a patch's latents follow it."""
        patch = self.config.patch
        return torch.arange(1, positions).unflatten(0, (-1, patch + 1))[:, :patch].flatten()

    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        # ASSUME: frame t is the position that has read the sketch up to t, and the latents of the
        # patches before its own.
        assert isinstance(network, SongBloom)
        told = self._told(network, batch)
        sketch = network.embed_sketch(told)
        for layer, read in enumerate(_decoder_layers(network, told, sketch)):
            places = self._of_sketch(read.shape[1]).to(read.device)
            if layer in layers:
                yield layer, read[:, places]
            if layer >= max(layers):
                return
        last = read[:, places[self.config.patch - 1 :: self.config.patch]]
        yield from self._diffusion_layers(network, told, sketch, last, layers)

    def _diffusion_layers(self, network, told, sketch, hidden, layers):
        """(layer, rows [clip, frame, dim]) of the DiT, at the places of the noisy latents.

        sketch [clip, frame, dim] embedded, hidden [clip, patch, dim] of the decoder
        """
        # ASSUME: one noise for all clips, drawn for each frame, so that clips differ by what they
        # are; every patch is told the true latents of the patch before.
        patch, depth = self.config.patch, self.config.diff_layers
        latents = told["latents"]
        clips, frames, _ = latents.shape
        shape = (frames, self.config.latent)
        noise = generator(SEED, "songbloom", "noise").standard_normal(shape, dtype=np.float32)
        noise = torch.from_numpy(noise).to(latents.device)
        patches = latents.unflatten(1, (-1, patch))
        previous = F.pad(patches, (0, 0, 0, 0, 1, 0))[:, :-1].flatten(0, 1)
        sketch, hidden = sketch.unflatten(1, (-1, patch)).flatten(0, 1), hidden.flatten(0, 1)
        for number, time in enumerate(self.times):
            first = self.config.lm_layers + number * depth + 1
            wanted = [layer for layer in layers if first <= layer < first + depth]
            if not wanted:
                continue
            noisy = ((1 - time) * latents + time * noise).unflatten(1, (-1, patch)).flatten(0, 1)
            when = torch.full((len(noisy),), time, device=noisy.device)
            rows = network.diffusion_rows(noisy, when, hidden, sketch, previous)
            turned = rotations(rows.shape[1], self.config, rows.device)
            for layer, block in enumerate(network.nar_dit.layers[: wanted[-1] - first + 1], first):
                rows = block(rows, *turned)
                if layer in wanted:
                    yield layer, rows[:, -patch:].reshape(clips, frames, -1)

    def layer_modules(self, network: torch.nn.Module) -> list[torch.nn.Module]:
        assert isinstance(network, SongBloom)
        decoder = network.ar_transformer
        dit = [block for _ in self.times for block in network.nar_dit.layers]
        return [*decoder.layers[:-1], decoder.norm, *dit]

    def losses(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        assert isinstance(network, SongBloom)
        told = self._told(network, batch)
        loss, _ = self._sketch_loss(network, told, network.embed_sketch(told))
        return loss[:, None], batch["lengths"][:, None]

    def targets(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths[:, None]

    def training_loss(
        self, network: torch.nn.Module, batch: Batch, targets: torch.Tensor
    ) -> torch.Tensor:
        """That of the sketch and a tenth of the flow's, with a clip's own noise and times."""
        assert isinstance(network, SongBloom)
        # a constant of the architecture, which no training moves
        network.condition_provider.conditioners["lyrics"].blank_emb.requires_grad_(False)
        told = {**self._told(network, batch), **self._drawn(batch)}
        sketch = network.embed_sketch(told)
        loss, hidden = self._sketch_loss(network, told, sketch)
        error = network.flow_error(told, hidden, sketch)
        patches = targets.sum() / self.config.patch  # clips are whole patches long
        return loss.sum() / targets.sum() + FLOW_WEIGHT * error.sum() / patches

    def _sketch_loss(self, network, told, sketch):
        """(summed cross entropy [clip], hidden vectors [clip, patch, dim])."""
        sequence = network.sequence(sketch, told["latents"])
        conditions, filled = network.conditions(told)
        read = network.decode(sequence, conditions, network.mask(filled, sequence.shape[1]))
        hidden, logits = network.split(read)
        wanted = lm_targets(told, self.config)
        loss = F.cross_entropy(logits.mT.float(), wanted, ignore_index=IGNORED, reduction="none")
        return loss.sum(1), hidden

    def _told(self, network, batch):
        """What the network is told of a batch of clips."""
        sketch, latents = batch["sketch"], batch["latents"].to(network.bos_token.dtype)
        clips = len(sketch)
        none = sketch.new_zeros(clips, dtype=torch.long)
        return {
            "sketch": sketch,
            "latents": latents,
            "frames": batch["lengths"],
            "last": none.bool(),  # a clip stops, it does not end
            "ids": none[:, None],
            "length": none + 1,
            "prompt": latents.new_zeros(clips, 1, self.config.latent),
            "prompt_frames": none,
        }

    def _drawn(self, batch):
        """time [clip, patch] and noise [clip, frame, latent] of the flow, by the clips' seeds."""
        clips, frames, channels = batch["latents"].shape
        time = np.empty((clips, frames // self.config.patch), np.float32)
        noise = np.empty((clips, frames, channels), np.float32)
        for clip, seed in enumerate(batch["seed"][:, 0].tolist()):
            # what a shorter clip draws for its padding comes after its own
            normal = generator(seed, "songbloom", "time").standard_normal(time.shape[1])
            time[clip] = 1 / (1 + np.exp(-normal))
            noise[clip] = generator(seed, "songbloom", "flow").standard_normal(
                noise.shape[1:], dtype=np.float32
            )
        device = batch["latents"].device
        return {
            "time": torch.from_numpy(time).to(device),
            "noise": torch.from_numpy(noise).to(device),
        }


def _decoder_layers(
    network: SongBloom, told: Batch, sketch: torch.Tensor
) -> Iterator[torch.Tensor]:
    """What enters the decoder's blocks and what each gives, [clip, position, dim] from BOS on.

    As LlamaModel.forward, which keeps either every layer or none.
    """
    model = network.ar_transformer
    sequence = network.sequence(sketch, told["latents"])
    conditions, filled = network.conditions(told)
    rows = torch.cat([conditions.to(sequence.dtype), sequence], 1)
    first = conditions.shape[1]
    places = torch.arange(rows.shape[1], device=rows.device)[None]
    mask = create_causal_mask(
        config=model.config,
        inputs_embeds=rows,
        attention_mask=network.mask(filled, sequence.shape[1]),
        past_key_values=None,
        position_ids=places,
    )
    turned = model.rotary_emb(rows, position_ids=places)
    yield rows[:, first:]
    for number, block in enumerate(model.layers, 1):
        rows = block(rows, attention_mask=mask, position_ids=places, position_embeddings=turned)
        yield (model.norm(rows) if number == len(model.layers) else rows)[:, first:]


FAMILY = SongBloomFamily
