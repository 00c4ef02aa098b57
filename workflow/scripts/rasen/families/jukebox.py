"""Jukebox as transformers stores it: a VQ-VAE with codes at three rates, a prior over each.

One of the priors is run and interpolated, with what conditions it (labels, the codes of the level
above); the VQ-VAE stays as trained. Runs with transformers 4: version 5 has no Jukebox.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.modeling_utils import no_init_weights
from transformers.models.deprecated.jukebox import (
    JukeboxConfig,
    JukeboxModel,
    JukeboxPrior,
    JukeboxVQVAE,
)

from rasen.errors import RasenError, raise_all
from rasen.families import AudioFamily, Batch, LossFamily
from rasen.families.huggingface import read_config
from rasen.families.jukebox_causality import looks_ahead
from rasen.families.jukebox_init import prior_init_rules
from rasen.io.atomic import whole_file
from rasen.weights import lazy_tensors
from rasen.weights.init_rules import InitRule
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import load_into, named_tensors, require_fit

LEVELS = ("top", "middle", "bottom")  # the checkpoint's priors, in order
GENRE = ARTIST = 0  # ASSUME: "unknown", and no lyrics (zeros): nothing is known of a clip


class Jukebox(LossFamily, AudioFamily):
    """A folder of JukeboxModel; option `level` names the prior."""

    def __init__(self, folder: Path | str, options: Mapping[str, Any]) -> None:
        super().__init__(folder, options)
        self.name = options.get("level", "bottom")
        self.level = LEVELS.index(self.name)
        self.config = read_jukebox_config(folder)
        self.prior_config = self.config.prior_configs[self.level]
        if looks_ahead(self.prior_config):
            raise RasenError(
                f"{folder}/config.json: the attention of prior {self.level} ({self.name}) looks "
                "ahead, so its loss would mean nothing; set `mask` of that prior to true, as "
                "OpenAI trained it"
            )
        codec = self.config.vqvae_config
        steps = [s**d for s, d in zip(codec.res_strides_t, codec.res_downs_t, strict=True)]
        self.hop = prod(steps[: len(LEVELS) - self.level])  # samples per code
        self.window = self.prior_config.n_ctx  # codes
        self.loss_groups = ["code"]
        depth = self.prior_config.num_layers
        self.layers = [
            "embeddings plus positions and conditioning",
            *(f"output of block {block}" for block in range(1, depth)),
            f"output of block {depth}, before the conditioning is added again",
        ]

    # --- architecture and weights

    def build(self, device: str, dtype: str) -> torch.nn.Module:
        with no_init_weights(), torch.device(device):
            network = JukeboxPrior._from_config(
                self.prior_config, level=self.level, dtype=getattr(torch, dtype)
            )
        return network.eval().requires_grad_(False)

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        network = self.build("meta", "float32")
        tensors = below(lazy_tensors.read_folder(folder), f"priors.{self.level}.")
        if network.prior.share_embed_tokens_fc_proj_out:  # one tensor, stored under two names
            tensors.pop("prior.fc_proj_out.weight", None)
        require_fit(network, tensors, folder)
        return tensors

    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        tensors = named_tensors(self.build("meta", "float32"))
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        return prior_init_rules(shapes, self.prior_config, rule)

    def export(self, network: torch.nn.Module, folder: Path) -> None:
        # Tensors of a .bin are mapped, not read, so memory holds this prior alone.
        state = {name: t.read() for name, t in lazy_tensors.read_folder(self.folder).items()}
        for name, tensor in network.state_dict().items():
            state[f"priors.{self.level}.{name}"] = tensor
        with whole_file(folder / "pytorch_model.bin") as partial:
            torch.save(state, partial)
        shutil.copy(self.folder / "config.json", folder)

    # --- stimuli

    @property
    def sample_rate(self) -> int:
        return self.config.sampling_rate

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.hop

    @cache  # noqa: B019 (a family lives as long as its process)
    def codec(self, device: str) -> JukeboxVQVAE:
        """The trained VQ-VAE."""
        with no_init_weights(), torch.device(device):
            codec = JukeboxVQVAE(self.config.vqvae_config)
        tensors = below(lazy_tensors.read_folder(self.folder), "vqvae.")
        require_fit(codec, tensors, f"{self.folder} (VQ-VAE)")
        load_into(codec, tensors)
        return codec.eval().requires_grad_(False)

    @torch.inference_mode()
    def encode(self, stimulus: np.ndarray | str, device: str) -> dict[str, np.ndarray]:
        """codes [time, 1]; codes_above [time/4, 1] of the level above; labels [window, 5].

        Whole windows, each encoded alone as in training; what is left at the end is dropped.
        labels: length of the clip, offset and length of the window (samples), artist, genre.
        """
        codec, size = self.codec(device), self.window * self.hop
        sound = torch.from_numpy(np.asarray(stimulus)).to(device)
        total, windows = len(sound), len(sound) // size
        if not windows:
            raise RasenError(
                f"{total / self.sample_rate:.3f} s are less than one window of the level "
                f"{self.name} ({self.window} codes, {size / self.sample_rate:.3f} s); use longer "
                "clips" + (" or a lower `level`" if self.level < 2 else "")
            )
        self._require_duration(total)
        level = len(LEVELS) - 1 - self.level  # the VQ-VAE counts from the bottom
        parts = sound[: windows * size].view(windows, 1, size, 1)
        codes = [codec.encode(part, level, level + 2) for part in parts]
        # A clip's length is that of its first field by name: the codes.
        names = ["codes", "codes_above"][: len(codes[0])]
        fields = {
            name: torch.cat(found, dim=1)[0, :, None].cpu().numpy().astype(np.int16)
            for name, found in zip(names, zip(*codes, strict=True), strict=True)
        }
        labels = [(total, window * size, size, ARTIST, GENRE) for window in range(windows)]
        return fields | {"labels": np.array(labels, np.int64)}

    def _require_duration(self, samples):
        """The top prior has learned the lengths of songs, and has vectors for those alone."""
        shortest, longest = self.config.min_duration, self.config.max_duration
        seconds = samples / self.sample_rate
        if self.level == 0 and not shortest <= seconds < longest:
            raise RasenError(
                f"{seconds:.3f} s: the top level knows songs of {shortest} to {longest} s; use "
                "clips of such a length or a lower `level`"
            )

    # --- running

    @property
    def prefix(self) -> int:  # the lyrics, where they go through the same transformer
        config = self.prior_config
        return config.nb_relevant_lyric_tokens if config.is_encoder_decoder else 0

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths

    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        # ASSUME: frame t is the position that predicts code t and has seen the codes before it
        # in its window (the level above: the whole window).
        clips, (values, _, lyrics, _) = len(batch["codes"]), self._entering(network, batch)
        blocks = [None, *network.prior.transformer._attn_mods]
        for layer, block in enumerate(blocks[: max(layers) + 1]):
            if block is not None:
                values = block(values, lyrics if block.attn_func == "cross_attention" else None)
            if layer in layers:
                frames = values[:, self.prefix :].reshape(clips, -1, values.shape[-1])
                yield layer, frames

    def layer_modules(self, network: torch.nn.Module) -> list[torch.nn.Module]:
        return list(network.prior.transformer._attn_mods)

    def losses(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        values, conditioning, lyrics, wanted = self._entering(network, batch)
        prior, lengths = network.prior, batch["lengths"]
        values = prior.transformer(values, last_encoder_hidden_states=lyrics)
        if prior.add_cond_after_transformer:
            values = values + conditioning
        logits = prior.fc_proj_out(values[:, self.prefix :])
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), wanted[:, self.prefix :].flatten(), reduction="none"
        )
        loss = loss.view(len(lengths), -1)
        past = torch.arange(loss.shape[1], device=loss.device) >= lengths[:, None]
        return loss.masked_fill(past, 0).sum(1, keepdim=True), lengths[:, None]

    @property
    def cardinality(self) -> int:
        return self.prior_config.music_vocab_size

    def wanted(self, batch: Batch) -> torch.Tensor:
        codes = batch["codes"].long().flatten(1)
        past = torch.arange(codes.shape[1], device=codes.device) >= batch["lengths"][:, None]
        return codes.masked_fill(past, -1)[:, None]

    def targets(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths[:, None]

    def _entering(self, network, batch):
        """What enters block 1, the conditioning in it, the encoded lyrics, the tokens.

        Windows of all clips [window, position, ...], lyrics (none: zeros) in front of the codes
        where they go through the same transformer. As in JukeboxConditionalAutoregressive.forward.
        """
        labels = batch["labels"]
        # A shorter clip's missing windows have labels of its first, so that all can be embedded.
        labels = torch.where(labels[..., 2:3] > 0, labels, labels[:, :1]).flatten(0, 1)
        windows = len(labels)
        tokens = batch["codes"].long().view(windows, -1)
        above = []
        if "codes_above" in batch:
            above = [batch["codes_above"].long().view(windows, -1)]
        no_lyrics = labels.new_zeros(windows, network.nb_relevant_lyric_tokens)
        conditioning, start, _ = network.get_cond(above, torch.cat([labels, no_lyrics], 1))
        lyrics = None
        if network.is_encoder_decoder:
            tokens, conditioning = network.prior_preprocess(
                [no_lyrics, tokens], [None, conditioning]
            )
        else:
            lyrics = network.get_encoder_states(no_lyrics)
        embedded = network.prior.embed_tokens(tokens[:, :-1])
        conditioning, start = conditioning.to(embedded), start.to(embedded)  # may be float32
        entering = torch.cat([start, embedded], dim=1) + network.prior.pos_emb() + conditioning
        return entering, conditioning, lyrics, tokens


def read_jukebox_config(folder: Path | str) -> JukeboxConfig:
    """config.json of a Jukebox folder, what is said once for all priors filled in."""
    content = read_config(folder)
    if content.get("model_type") != "jukebox":
        kind = content.get("model_type")
        raise RasenError(f"{folder}: a '{kind}' checkpoint, not Jukebox; check `family`")
    config = JukeboxConfig(**content)
    found = {
        "nb_priors": (config.nb_priors, len(LEVELS)),
        "vqvae_config.levels": (config.vqvae_config.levels, len(LEVELS)),
        "metadata_conditioning": (config.metadata_conditioning, True),
    }
    raise_all(
        (
            f"{key} is {value}, expected {known}"
            for key, (value, known) in found.items()
            if value != known
        ),
        f"{folder}/config.json: another architecture than Jukebox:",
    )
    JukeboxModel.set_shared_params(None, config)
    return config


def below(tensors: Mapping[str, LazyTensor], prefix: str) -> dict[str, LazyTensor]:
    """Those tensors whose names begin with a prefix, under the rest of their names."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


FAMILY = Jukebox
