"""SongBloom [Yang et al. 2025]: a decoder writes a song's sketch, and a diffusion transformer the
latents of each patch of it, in one network.

    [conditions][BOS] s s s s A  s s s s A  ...      (s: a sketch token, A: a patch of latents)

The decoder reads this in one causal pass. What it gives at the last token of a patch is the hidden
vector from which the DiT makes that patch's latents, with the patch's sketch and the latents of the
patch before; all other positions predict the next token. Training runs both over all patches at
once; the tensors have the names of the public checkpoint.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch.nn import functional as F
from transformers import DynamicCache, LlamaConfig, LlamaModel
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from rasen.networks.songbloom_conditions import Conditions
from rasen.networks.songbloom_config import SongBloomConfig
from rasen.networks.songbloom_dit import DiT

Batch = Mapping[str, torch.Tensor]
IGNORED = -100  # a target that is none


class Output(NamedTuple):
    """Of one batch: the mean losses, their sums and how many terms they have, and what was read.

    lm, flow:   mean cross entropy (nats per token), mean square error of the velocity
    hidden:     [b, patch, d] from the decoder for the DiT
    logits:     [b, T + 1, codes + 1] of the next token before each frame, and after the last one
    """

    lm: torch.Tensor
    flow: torch.Tensor
    lm_sum: torch.Tensor
    flow_sum: torch.Tensor
    tokens: torch.Tensor
    patches: torch.Tensor
    hidden: torch.Tensor
    logits: torch.Tensor


class SongBloom(torch.nn.Module):
    """The whole network.

    A batch {name: tensor}, T a multiple of the patch:
      sketch [b, T], latents [b, T, latent], frames [b] (what counts of T), last [b] (the song ends)
      ids [b, n], length [b], prompt [b, rows, latent], prompt_frames [b]: see Conditions
      time [b, patch], noise [b, T, latent]: of the flow
      keep_hidden, keep_sketch [b, patch]: false where guidance training hides them (optional)
      flow [n]: flat numbers of the patches that the flow is trained on (optional: all)
    """

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        config.require_valid()
        self.config = config
        d = config.width
        self.bos_token = torch.nn.Parameter(torch.empty(d))
        self.condition_provider = Conditions(config)
        self.skeleton_emb = torch.nn.Embedding(config.codes + 2, d)
        self.ar_transformer = _decoder(config)
        self.skeleton_classifier = torch.nn.Sequential(
            torch.nn.Linear(d, d, bias=False), torch.nn.SiLU(), torch.nn.Linear(d, config.codes + 1)
        )
        self.block_conv = torch.nn.Sequential(
            torch.nn.Flatten(2),
            torch.nn.Linear(config.patch * config.latent, d),
            torch.nn.SiLU(),
            torch.nn.Linear(d, d),
        )
        self.project_in = torch.nn.Linear(config.latent, d)
        self.project_out = torch.nn.Linear(d, config.latent)
        self.timestep_features = Fourier(config.time_features)
        self.to_timestep_embed = torch.nn.Sequential(
            torch.nn.Linear(config.time_features, d, bias=False),
            torch.nn.SiLU(),
            torch.nn.Linear(d, d),
        )
        self.nar_dit = DiT(config)

    def fill_tables(self) -> None:
        """Compute what no checkpoint holds; again after the storage was made anew."""
        with self.bos_token.device:
            self.ar_transformer.rotary_emb = LlamaRotaryEmbedding(self.ar_transformer.config)

    def checkpoint_activations(self) -> None:
        """Compute activations again in the backward pass instead of keeping them."""
        self.ar_transformer.gradient_checkpointing_enable({"use_reentrant": False})
        self.nar_dit.checkpointing = True

    def forward(self, batch: Batch) -> Output:
        """Both losses of a batch; see the classes."""
        sketch = self.embed_sketch(batch)
        sequence = self.sequence(sketch, batch["latents"])
        conditions, filled = self.conditions(batch)
        read = self.decode(sequence, conditions, self.mask(filled, sequence.shape[1]))
        hidden, logits = self.split(read)
        wanted = lm_targets(batch, self.config)
        lm_sum = F.cross_entropy(
            logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        error = self.flow_error(batch, hidden, sketch)
        tokens, flow_sum = (wanted != IGNORED).sum(), error.sum()
        return Output(
            lm_sum / tokens.clamp_min(1),
            flow_sum / max(1, len(error)),
            lm_sum,
            flow_sum,
            tokens,
            tokens.new_tensor(len(error)),
            hidden,
            logits,
        )

    def embed_sketch(self, batch: Batch) -> torch.Tensor:
        """Embeddings [b, T, d] of the sketch, which decoder and DiT share."""
        places = torch.arange(batch["sketch"].shape[1], device=batch["sketch"].device)
        there = places < batch["frames"][:, None]
        return self.skeleton_emb(torch.where(there, batch["sketch"].long(), self.config.padding))

    def conditions(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows [b, row, d], which are filled) that stand in front of the sequence."""
        return self.condition_provider(
            batch["ids"], batch["length"], batch["prompt"], batch["prompt_frames"]
        )

    def sequence(self, sketch: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """[b, 1 + patches * (P + 1), d]: BOS, then each patch's sketch and its latents' vector."""
        b, _, d = sketch.shape
        patches = sketch.unflatten(1, (-1, self.config.patch))
        rows = torch.cat([patches, self.embed_latents(latents)[:, :, None]], 2).flatten(1, 2)
        return torch.cat([self.bos_token.to(rows.dtype).expand(b, 1, d), rows], 1)

    def embed_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """One vector [b, patch, d] per patch of latents [b, T, latent]."""
        return self.block_conv(latents.unflatten(1, (-1, self.config.patch)))

    def decode(
        self,
        sequence: torch.Tensor,
        conditions: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        cache: DynamicCache | None = None,
    ) -> torch.Tensor:
        """What the decoder gives [b, time, d] for a sequence [b, time, d].

        conditions: rows in front of it; None when `cache` holds them already
        mask:       of `mask`, for everything so far
        """
        rows = sequence
        if conditions is not None:
            rows = torch.cat([conditions.to(sequence.dtype), sequence], 1)
        read = self.ar_transformer(
            inputs_embeds=rows,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return read.last_hidden_state[:, -sequence.shape[1] :]

    def mask(self, filled: torch.Tensor, time: int) -> torch.Tensor | None:
        """What is attended to [b, row + time] after conditions; None: everything before."""
        if self.config.see_padding:
            return None
        return F.pad(filled, (0, time), value=True).long()

    def split(self, read: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(hidden [b, patch, d], logits [b, T + 1, codes + 1]) of what the decoder gave.

        A patch's hidden vector is read before its own latents are (at the vector that stands for
        them it would know what the DiT shall make).
        """
        patch = self.config.patch
        patches = read[:, :-1].unflatten(1, (-1, patch + 1))
        last = read[:, -1:]
        tokens = torch.cat([patches[:, :, :patch].flatten(1, 2), last], 1)
        return patches[:, :, patch], self.skeleton_classifier(tokens)

    def flow_error(self, batch: Batch, hidden: torch.Tensor, sketch: torch.Tensor) -> torch.Tensor:
        """Mean square error [n] of the velocity of each chosen patch."""
        patch = self.config.patch
        # flat numbers of patches, as indices: their count is known before anything is computed
        chosen = (
            batch["flow"]
            if "flow" in batch
            else all_patches(batch["frames"], batch["sketch"].shape[1] // patch, patch)
        )
        latents = batch["latents"].unflatten(1, (-1, patch))
        before = F.pad(latents, (0, 0, 0, 0, 1, 0))[:, :-1].flatten(0, 1)[chosen]
        # t and the mixture are float32 whatever the network runs in: in bf16 t has 8 bits
        time = batch["time"].flatten()[chosen].float()
        now = latents.flatten(0, 1)[chosen].float()
        noise = batch["noise"].unflatten(1, (-1, patch)).flatten(0, 1)[chosen].float()
        mix = time[:, None, None]
        hidden = hidden.flatten(0, 1)[chosen]
        sketch = sketch.unflatten(1, (-1, patch)).flatten(0, 1)[chosen]
        if "keep_hidden" in batch:
            hidden = hidden * batch["keep_hidden"].flatten()[chosen][:, None]
            sketch = sketch * batch["keep_sketch"].flatten()[chosen][:, None, None]
        velocity = self.velocity((1 - mix) * now + mix * noise, time, hidden, sketch, before)
        return (velocity.float() - (noise - now)).square().mean((1, 2))

    def velocity(
        self,
        noisy: torch.Tensor,
        time: torch.Tensor,
        hidden: torch.Tensor,
        sketch: torch.Tensor,
        previous: torch.Tensor,
    ) -> torch.Tensor:
        """The flow's velocity [n, P, latent].

        noisy, previous [n, P, latent], time [n], hidden [n, d], sketch [n, P, d] embedded
        """
        rows = self.diffusion_rows(noisy, time, hidden, sketch, previous)
        return self.project_out(self.nar_dit(rows, self.config.patch))

    def diffusion_rows(
        self,
        noisy: torch.Tensor,
        time: torch.Tensor,
        hidden: torch.Tensor,
        sketch: torch.Tensor,
        previous: torch.Tensor,
    ) -> torch.Tensor:
        """What the DiT reads [n, 2 + 3 P, d]: time, hidden, sketch, previous and noisy latents."""
        told = self.config.told
        hidden = hidden if "hidden" in told else torch.zeros_like(hidden)
        sketch = sketch if "sketch" in told else torch.zeros_like(sketch)
        previous = previous if "previous" in told else torch.zeros_like(previous)
        when = self.to_timestep_embed(self.timestep_features(time[:, None]))
        sound = self.project_in(torch.cat([previous, noisy.to(previous.dtype)], 1))
        return torch.cat([when[:, None], hidden[:, None], sketch, sound], 1)


class Fourier(torch.nn.Module):
    """cos and sin of a number at fixed random frequencies."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(features // 2, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [n, 1] -> [n, features]."""
        angles = 2 * torch.pi * x.to(self.weight.dtype) @ self.weight.T
        return torch.cat([angles.cos(), angles.sin()], -1)


def lm_targets(batch: Batch, config: SongBloomConfig) -> torch.Tensor:
    """What each logit should be [b, T + 1]: the sketch, the end after a song's last frame.

    A window that stops before its song does has no target after its last frame: a cut is no end.
    """
    sketch, frames = batch["sketch"].long(), batch["frames"][:, None]
    places = torch.arange(sketch.shape[1] + 1, device=sketch.device)
    wanted = F.pad(sketch, (0, 1)).masked_fill(places >= frames, IGNORED)
    ends = (places == frames) & batch["last"][:, None]
    return wanted.masked_fill(ends, config.end)


def all_patches(frames: torch.Tensor, most: int, patch: int) -> torch.Tensor:
    """The flat numbers [n] of all patches of a batch of windows [b] of `most` patches."""
    there = torch.arange(1, most + 1, device=frames.device) * patch <= frames[:, None]
    return there.flatten().nonzero()[:, 0]


def _decoder(config: SongBloomConfig) -> LlamaModel:
    """transformers' LLaMA without its own embeddings."""
    model = LlamaModel(
        LlamaConfig(
            vocab_size=1,
            hidden_size=config.width,
            intermediate_size=config.mlp * config.width,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            num_hidden_layers=config.lm_layers,
            max_position_embeddings=1 << 20,  # never enforced; positions are turned, not looked up
            rms_norm_eps=1e-6,
            rope_parameters={"rope_type": "default", "rope_theta": config.lm_rope},
            attn_implementation="sdpa",
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    del model.embed_tokens
    return model
