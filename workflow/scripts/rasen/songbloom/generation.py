"""Songs from lyrics and ten seconds of a reference: patch by patch, the sketch and then its sound.

    song = generate(net, ids, prompt, seconds=20, seed=0)      # sketch [T], latents [T, 64]

Every random number is drawn by seed and place, so that a song is the same alone and in a batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import DynamicCache

from rasen.errors import RasenError, raise_all
from rasen.networks.frames import FRAME_RATE
from rasen.networks.songbloom import SongBloom
from rasen.networks.songbloom_config import SongBloomConfig
from rasen.seeds import generator
from rasen.songbloom.flow import integrate
from rasen.songbloom.sampling import Choice, next_tokens


@dataclass(frozen=True)
class GenerateSettings:
    """`songbloom.generate` of the config; the values are the paper's, and its public model's.

    guidance:          1 of none; how far beyond what the network says without conditions
    top_k, temperature: of the sketch (temperature 0: always the likeliest token)
    penalty, penalty_window: logits of the tokens among the last ones are divided by it
    steps, diff_temperature: Euler steps of a patch; noise enters at this time (1: at the start)
    """

    guidance: float = 1.5
    temperature: float = 0.9
    top_k: int = 200
    penalty: float = 1.1
    penalty_window: int = 50
    steps: int = 36
    diff_temperature: float = 0.95


@dataclass(frozen=True)
class Request:
    """A song to be made: lyrics' ids [n], latents of the reference [rows, latent], a seed; and what
    messages call it."""

    ids: np.ndarray
    prompt: np.ndarray
    seed: int = 0
    name: str = ""


@dataclass(frozen=True)
class Song:
    """sketch [T], latents [T, latent], and whether it came to its end by itself."""

    sketch: np.ndarray
    latents: np.ndarray
    ended: bool


@dataclass(frozen=True)
class Patch:
    """The next patch of one request: sketch [P], latents [P, latent]; None where the song ends."""

    request: int
    sketch: np.ndarray | None
    latents: np.ndarray | None


def generate(
    net: SongBloom,
    ids: np.ndarray,
    prompt: np.ndarray,
    seconds: float = 20.0,
    seed: int = 0,
    settings: GenerateSettings | None = None,
) -> Song:
    """One song of at most `seconds`."""
    return generate_batch(net, [Request(ids, prompt, seed)], seconds, settings)[0]


def generate_batch(
    net: SongBloom,
    requests: Sequence[Request],
    seconds: float = 20.0,
    settings: GenerateSettings | None = None,
) -> list[Song]:
    """Songs of at most `seconds`, made side by side."""
    patches = generate_patches(net, requests, seconds, settings)
    return join_patches(patches, len(requests), net.config)


def join_patches(patches: Iterable[Patch], count: int, config: SongBloomConfig) -> list[Song]:
    """The `count` songs that patches belong to."""
    parts: list[list[Patch]] = [[] for _ in range(count)]
    ended = [False] * count
    for patch in patches:
        if patch.sketch is None:
            ended[patch.request] = True
        else:
            parts[patch.request].append(patch)
    return [
        Song(
            np.concatenate([np.zeros(0, np.int32), *[p.sketch for p in made]]),
            np.concatenate([np.zeros((0, config.latent), np.float32), *[p.latents for p in made]]),
            end,
        )
        for made, end in zip(parts, ended, strict=True)
    ]


def wrong_requests(
    config: SongBloomConfig, requests: Sequence[Request], seconds: float
) -> list[str]:
    """What a network of these sizes cannot be asked for."""
    problems = []
    if seconds * FRAME_RATE < config.patch:
        least = config.patch / FRAME_RATE
        problems.append(f"{seconds} s hold no patch; ask for {least:g} s or more")
    for number, request in enumerate(requests):
        ids, name = np.asarray(request.ids), request.name or f"request {number}"
        if not len(ids):
            problems.append(f"{name}: no lyrics; give at least a flag such as [inst]")
        elif len(ids) > config.lyrics_rows:
            problems.append(
                f"{name}: {len(ids)} ids of lyrics, the model takes "
                f"{config.lyrics_rows}; shorten them"
            )
        elif ids.min() < 0 or ids.max() >= config.vocabulary:
            problems.append(
                f"{name}: ids from {ids.min()} to {ids.max()}, the model knows 0 to "
                f"{config.vocabulary - 1}; take the inventory that it was trained with"
            )
        if request.prompt.ndim != 2 or request.prompt.shape[1] != config.latent:
            problems.append(
                f"{name}: the prompt has shape {request.prompt.shape}, wanted "
                f"[frames, {config.latent}]"
            )
    return problems


@torch.no_grad()
def generate_patches(
    net: SongBloom,
    requests: Sequence[Request],
    seconds: float = 20.0,
    settings: GenerateSettings | None = None,
) -> Iterator[Patch]:
    """The patches of all songs as they are made, those of one time after the other.

    A song that has ended leaves the batch.
    """
    settings = settings or GenerateSettings()
    raise_all(wrong_requests(net.config, requests, seconds))
    if net.training:
        raise RasenError("the network is in training mode; call net.eval() first")
    config, device = net.config, net.bos_token.device
    state = _Decoder(net, requests, guided=settings.guidance != 1)
    alive = list(range(len(requests)))
    history = [np.zeros(0, np.int64) for _ in requests]
    previous = torch.zeros(len(alive), config.patch, config.latent, device=device)
    reading = net.bos_token.expand(len(alive), 1, -1)
    for number in range(int(seconds * FRAME_RATE) // config.patch):
        tokens: list[torch.Tensor] = []
        for place in range(config.patch):
            logits = net.skeleton_classifier(state.read(reading)).float()
            choices = [
                Choice(
                    # no patch, no penalty, as in the public code
                    _recent(history[song], tokens, row, settings) if number else None,
                    _uniform(requests[song].seed, number, place),
                )
                for row, song in enumerate(alive)
            ]
            chosen = next_tokens(logits, len(alive), choices, settings)
            tokens.append(chosen)
            reading = net.skeleton_emb(chosen)[:, None]
        sketch = torch.stack(tokens, 1)
        embedded = net.skeleton_emb(sketch)
        hidden = state.read(reading)[: len(alive)]
        noise = torch.from_numpy(
            np.stack([patch_noise(requests[song].seed, number, config) for song in alive])
        ).to(device)
        latents = integrate(net, noise, hidden, embedded, previous, settings)
        codes, sound = sketch.numpy(force=True), latents.float().numpy(force=True)
        goes_on = ~(codes == config.end).any(1)
        for row, song in enumerate(alive):
            if goes_on[row]:
                history[song] = np.concatenate([history[song], codes[row]])
                yield Patch(song, codes[row].astype(np.int32), sound[row])
            else:
                yield Patch(song, None, None)
        if not goes_on.any():
            return
        rows = torch.from_numpy(np.flatnonzero(goes_on)).to(device)
        if not goes_on.all():
            state.keep(rows)
        alive = [song for row, song in enumerate(alive) if goes_on[row]]
        previous = latents[rows]
        reading = net.embed_latents(previous)


class _Decoder:
    """The decoder, its cache and what it attends to: rows with conditions, then without them."""

    def __init__(self, net, requests, guided):
        config, device = net.config, net.bos_token.device
        self.net, self.guided, self.count = net, guided, len(requests)
        self.cache = DynamicCache(config=net.ar_transformer.config)
        width = max(len(request.ids) for request in requests)
        ids = torch.zeros(len(requests), width, dtype=torch.long)
        prompt = torch.zeros(len(requests), config.prompt_rows, config.latent)
        for row, request in enumerate(requests):
            ids[row, : len(request.ids)] = torch.from_numpy(np.asarray(request.ids)).long()
            given = torch.from_numpy(np.asarray(request.prompt, np.float32))[: config.prompt_rows]
            prompt[row, : len(given)] = given
        length = torch.tensor([len(request.ids) for request in requests])
        frames = torch.tensor([len(request.prompt) for request in requests])
        if guided:  # without conditions: no lyrics are the one id 0
            ids = torch.cat([ids, torch.zeros_like(ids)])
            prompt = torch.cat([prompt, torch.zeros_like(prompt)])
            length = torch.cat([length, torch.ones_like(length)])
            frames = torch.cat([frames, torch.zeros_like(frames)])
        batch = {"ids": ids, "length": length, "prompt": prompt, "prompt_frames": frames}
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        batch["prompt"] = batch["prompt"].to(net.bos_token.dtype)
        self.conditions, self.filled = net.conditions(batch)
        self.time = 0

    def read(self, rows):
        """What the decoder gives [(2) b, d] after rows [b, time, d], which both kinds read."""
        if self.guided:
            rows = torch.cat([rows, rows])
        self.time += rows.shape[1]
        mask = self.net.mask(self.filled, self.time)
        out = self.net.decode(rows, self.conditions, mask, self.cache)
        self.conditions = None  # from now on the cache has them
        return out[:, -1]

    def keep(self, rows):
        """Only these songs [b] go on."""
        if self.guided:
            rows = torch.cat([rows, rows + self.count])
        self.cache.batch_select_indices(rows)
        self.filled = self.filled[rows]
        self.count = len(rows) // (2 if self.guided else 1)


def _recent(history, tokens, row, settings):
    """The last tokens of a song, those of this patch among them."""
    now = [int(chosen[row]) for chosen in tokens]
    return np.concatenate([history, np.array(now, np.int64)])[-settings.penalty_window :]


def _uniform(seed, number, place):
    return float(generator(seed, "token", number, place).random())


def patch_noise(seed: int, number: int, config: SongBloomConfig) -> np.ndarray:
    """The noise [P, latent] from which patch `number` of a song is made."""
    rng = generator(seed, "noise", number)
    return rng.standard_normal((config.patch, config.latent), dtype=np.float32)
