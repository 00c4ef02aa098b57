"""SongBloom at its toy size: a training step against its transformers alone, songs against the
loop without a cache. Options: --seconds of a generated song, --preset.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import numpy as np
import torch
from rows import Rows, in_turn

from rasen.networks.songbloom import Batch, SongBloom
from rasen.networks.songbloom_config import preset
from rasen.networks.songbloom_init import initialised
from rasen.songbloom.flow import integrate
from rasen.songbloom.generation import GenerateSettings, Request, generate_batch, patch_noise

FRAMES, WINDOWS, IDS = 256, 4, 160
SETTINGS = GenerateSettings(temperature=0, penalty=1.0)


def made_up_batch(net: SongBloom) -> Batch:
    """A batch of full windows of random numbers."""
    config, rng = net.config, torch.Generator().manual_seed(0)
    patches = FRAMES // config.patch

    def normal(*shape):
        return torch.randn(*shape, generator=rng)

    return {
        "sketch": torch.randint(0, config.codes, (WINDOWS, FRAMES), generator=rng),
        "latents": normal(WINDOWS, FRAMES, config.latent),
        "noise": normal(WINDOWS, FRAMES, config.latent),
        "time": torch.rand(WINDOWS, patches, generator=rng),
        "frames": torch.full((WINDOWS,), FRAMES),
        "last": torch.ones(WINDOWS, dtype=torch.bool),
        "ids": torch.randint(1, config.vocabulary, (WINDOWS, IDS), generator=rng),
        "length": torch.full((WINDOWS,), IDS),
        "prompt": normal(WINDOWS, config.prompt_rows, config.latent),
        "prompt_frames": torch.full((WINDOWS,), config.prompt_rows),
        "flow": torch.arange(WINDOWS * patches),
    }


def measure_step(rows: Rows, net: SongBloom) -> None:
    """A whole step of the optimiser against both stacks of layers alone, forward and backward."""
    config, batch = net.config, made_up_batch(net)
    optimiser = torch.optim.AdamW(net.parameters())
    patches = FRAMES // config.patch
    time = config.rows + 1 + patches * (config.patch + 1)
    read = torch.randn(WINDOWS, time, config.width, requires_grad=True)
    told = torch.randn(WINDOWS * patches, 2 + 3 * config.patch, config.width, requires_grad=True)

    def bare():
        decoded = net.ar_transformer(inputs_embeds=read, use_cache=False).last_hidden_state
        (decoded.square().mean() + net.nar_dit(told, told.shape[1]).square().mean()).backward()
        optimiser.zero_grad()

    def step():
        out = net(batch)
        (out.lm + 0.1 * out.flow).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    alone, ours = in_turn(5, bare, step)
    rows.add("step of 4 windows of 256 frames, s", ours, "s")
    rows.add("step / its transformers alone", ours / alone, target=1.15, at_most=True)
    rows.add("sketch tokens a second", WINDOWS * FRAMES / ours)


@torch.no_grad()
def without_cache(net: SongBloom, request: Request, seconds: float) -> np.ndarray:
    """The sketch [T] of the same song: the sequence so far is read anew for every token."""
    config, patch = net.config, net.config.patch
    batch = {
        "ids": torch.from_numpy(request.ids)[None].repeat(2, 1),
        "length": torch.tensor([len(request.ids), 1]),
        "prompt": torch.from_numpy(request.prompt)[None].repeat(2, 1, 1),
        "prompt_frames": torch.tensor([len(request.prompt), 0]),
    }
    batch["ids"][1] = 0
    conditions, _ = net.conditions(batch)
    rows, sketch = net.bos_token[None, None], []
    before = torch.zeros(1, patch, config.latent)
    for number in range(int(seconds * 25) // patch):
        for _ in range(patch):
            logits = net.skeleton_classifier(net.decode(rows.repeat(2, 1, 1), conditions)[:, -1])
            logits = logits[1:] + (logits[:1] - logits[1:]) * SETTINGS.guidance
            logits[:, config.end] = -torch.inf
            token = logits.argmax(-1)
            sketch.append(int(token))
            rows = torch.cat([rows, net.skeleton_emb(token)[:, None]], 1)
        hidden = net.decode(rows, conditions[:1])[:, -1]
        noise = torch.from_numpy(patch_noise(request.seed, number, config))[None]
        told = net.skeleton_emb(torch.tensor([sketch[-patch:]]))
        before = integrate(net, noise, hidden, told, before, SETTINGS)
        rows = torch.cat([rows, net.embed_latents(before)], 1)
    return np.array(sketch)


def measure_songs(rows: Rows, net: SongBloom, seconds: float) -> None:
    """One song with the cache and without, and four at a time."""
    net.eval()
    with torch.no_grad():  # a song that does not end
        net.skeleton_classifier[2].bias[net.config.end] = -1e4
    rng = np.random.default_rng(0)
    rows_of_prompt = (net.config.prompt_rows, net.config.latent)
    requests = [
        Request(
            rng.integers(1, net.config.vocabulary, IDS),
            rng.standard_normal(rows_of_prompt, dtype=np.float32),
            seed,
        )
        for seed in range(4)
    ]
    songs = {}

    def one():
        songs["cached"] = generate_batch(net, requests[:1], seconds, SETTINGS)[0].sketch

    def four():
        generate_batch(net, requests, seconds, SETTINGS)

    def plain():
        songs["plain"] = without_cache(net, requests[0], seconds)

    cached, batch = in_turn(1, one, four)
    slow, quick = cpu_seconds(plain), min(cpu_seconds(one) for _ in range(3))
    rows.add(f"{seconds:g} s generated, real-time factor", cached / seconds)
    rows.add("four songs at a time, real-time factor each", batch / seconds / 4)
    rows.add("CPU time of the loop without cache / with", slow / quick, target=5.0)
    same = float((songs["plain"] == songs["cached"]).mean())
    rows.add("share of equal tokens", same, target=0.99)


def cpu_seconds(function: Callable[[], None]) -> float:
    """CPU time of one call: on a shared machine it varies less than wall time."""
    start = process_time()
    function()
    return process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="toy")
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows()
    net = initialised(preset(arguments.preset), 0)
    rows.add("parameters", sum(p.numel() for p in net.parameters()) / 1e6, "million")
    with rows.attempt("step"):
        measure_step(rows, net)
    with rows.attempt("songs"):
        measure_songs(rows, net, arguments.seconds)


if __name__ == "__main__":
    main()
