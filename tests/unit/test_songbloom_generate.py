"""Songs that SongBloom generates: alone and in a batch, with every setting, and what is refused."""

import numpy as np
import pytest
import torch
from songbloom_windows import FakeWindows, settings, tiny

from rasen.errors import RasenError
from rasen.networks.songbloom_init import initialised
from rasen.songbloom.generation import (
    GenerateSettings,
    Request,
    generate,
    generate_batch,
    generate_patches,
)
from rasen.songbloom.sampling import Choice, next_tokens
from rasen.songbloom.trainer import train

SHORT = GenerateSettings(steps=4)
SECONDS = 2.0  # 3 patches


@pytest.fixture(scope="module")
def net():
    """First weights whose end of the song is never the likeliest."""
    network = initialised(tiny(), 0)
    with torch.no_grad():
        network.skeleton_classifier[2].bias[-1] = -100
    return network.eval()


def requests(count=3):
    rng = np.random.default_rng(0)
    return [
        Request(
            rng.integers(1, 46, 5 + 3 * n),
            rng.standard_normal((10 - n, 64), dtype=np.float32),
            seed=n,
        )
        for n in range(count)
    ]


def test_a_song_is_the_same_alone_and_in_a_batch(net):
    together = generate_batch(net, requests(), SECONDS, SHORT)
    for request, song in zip(requests(), together, strict=True):
        alone = generate(net, request.ids, request.prompt, SECONDS, request.seed, SHORT)
        assert song.sketch.shape == (48,)
        assert song.latents.shape == (48, 64)
        assert np.array_equal(song.sketch, alone.sketch)
        assert np.allclose(song.latents, alone.latents, atol=1e-5)


def test_seeds_and_conditions_matter(net):
    a, b = requests(2)
    song = generate(net, a.ids, a.prompt, SECONDS, 0, SHORT)
    assert np.array_equal(song.sketch, generate(net, a.ids, a.prompt, SECONDS, 0, SHORT).sketch)
    for ids, prompt, seed in [(a.ids, a.prompt, 1), (b.ids, a.prompt, 0), (a.ids, b.prompt, 0)]:
        other = generate(net, ids, prompt, SECONDS, seed, SHORT)
        assert not np.allclose(song.latents, other.latents)


def tokens_without_cache(net, request, latents, guidance):
    """The likeliest tokens, the whole sequence read anew for each; latents [T, 64] are given."""
    config = net.config
    batch = {
        "ids": torch.tensor(request.ids)[None],
        "length": torch.tensor([len(request.ids)]),
        "prompt": torch.from_numpy(request.prompt)[None],
        "prompt_frames": torch.tensor([len(request.prompt)]),
    }
    nothing = batch | {"ids": torch.zeros(1, 1, dtype=torch.long), "length": torch.tensor([1])}
    nothing["prompt_frames"] = torch.tensor([0])
    told, untold = net.conditions(batch)[0], net.conditions(nothing)[0]
    rows, sketch = net.bos_token[None, None], []
    for patch in latents.split(config.patch):
        for _ in range(config.patch):
            pair = [net.skeleton_classifier(net.decode(rows, c)[:, -1]) for c in (told, untold)]
            token = (pair[1] + (pair[0] - pair[1]) * guidance).argmax(-1)
            sketch.append(int(token))
            rows = torch.cat([rows, net.skeleton_emb(token)[:, None]], 1)
        rows = torch.cat([rows, net.embed_latents(patch[None])], 1)
    return sketch


@torch.no_grad()
def test_the_cache_changes_nothing(net):
    request = requests(1)[0]
    chosen = GenerateSettings(temperature=0, steps=3, penalty=1.0)
    song = generate(net, request.ids, request.prompt, SECONDS, 0, chosen)
    latents = torch.from_numpy(song.latents)
    assert song.sketch.tolist() == tokens_without_cache(net, request, latents, chosen.guidance)


def test_patches_come_one_by_one_and_an_ended_song_leaves(net):
    with torch.no_grad():
        net.skeleton_classifier[2].bias[-1] = 0.5
    try:
        patches = list(generate_patches(net, requests(), 6.0, SHORT))
    finally:
        with torch.no_grad():
            net.skeleton_classifier[2].bias[-1] = -100
    ends = {patch.request: n for n, patch in enumerate(patches) if patch.sketch is None}
    assert ends
    for song, place in ends.items():
        assert not any(patch.request == song for patch in patches[place + 1 :])
    songs = [patch for patch in patches if patch.sketch is not None]
    assert all(patch.sketch.max() < tiny().end and len(patch.latents) == 16 for patch in songs)


class OneSound(FakeWindows):
    """Windows whose frames all sound alike."""

    def __getitem__(self, place):
        window = super().__getitem__(place)
        return window | {"mean": np.tile(window["mean"][:1], (len(window["mean"]), 1))}


def test_a_song_that_was_learned_is_sung_again(tmp_path):
    windows, config = OneSound(1), tiny()
    network = initialised(config, 0)
    plan = settings(steps=300, batch=1, lr=3e-3, warmup=10, ema=0.0, validate=0, save=1000, keep=())
    for _ in train(network, windows, plan, tmp_path):
        pass
    network.eval()
    window = windows[0]
    chosen = GenerateSettings(temperature=0, steps=8, penalty=1.0)
    song = generate(network, window["ids"], window["prompt"], 10.0, 0, chosen)
    assert song.ended
    assert len(song.sketch) == 64
    # chance is .03; each patch it hears its own latents, not those that it learned from
    assert (song.sketch == window["sketch"]).mean() > 0.5
    apart = np.mean((song.latents - window["mean"]) ** 2) / np.mean(window["mean"] ** 2)
    assert apart < 0.5  # silence is 1 away, an unrelated sound 2


# --- the choice of a token


def choose(logits, uniform=0.5, recent=None, count=1, **changes):
    chosen = GenerateSettings(**{"guidance": 1.0, "temperature": 1.0, "top_k": 0, **changes})
    choices = [Choice(recent, uniform)] * count
    return next_tokens(torch.tensor(logits), count, choices, chosen).tolist()


def test_guidance_goes_beyond_what_is_said_without_conditions():
    pair = [[1.0, 1.1, 0.0], [0.0, 1.0, 0.0]]
    assert choose(pair, temperature=0.0, guidance=1.5) == [0]
    assert choose(pair[:1], temperature=0.0) == [1]


def test_recent_tokens_are_less_likely_but_the_end_is_not():
    logits = [[2.0, 1.9, 1.95]]
    assert choose(logits, temperature=0.0, penalty=1.1, recent=np.array([0, 2])) == [2]
    assert choose(logits, temperature=0.0, penalty=1.1, recent=None) == [0]


def test_top_k_and_temperature():
    logits = [[3.0, 2.0, 1.0, 0.0]]
    drawn = {choose(logits, uniform=u, top_k=2)[0] for u in np.linspace(0, 0.999, 50)}
    assert drawn == {0, 1}
    shares = np.mean([choose(logits, uniform=u)[0] == 0 for u in np.linspace(0, 0.999, 400)])
    expected = np.exp(3) / np.exp([3, 2, 1, 0]).sum()
    assert shares == pytest.approx(expected, abs=0.01)
    colder = np.mean(
        [choose(logits, uniform=u, temperature=0.5)[0] == 0 for u in np.linspace(0, 0.999, 400)]
    )
    assert colder > shares + 0.1


# --- what is refused


def test_requests_that_cannot_be_met_are_told_together(net):
    prompt = np.zeros((10, 64), np.float32)
    wrong = [
        Request(np.array([], int), prompt),
        Request(np.ones(25, int), prompt),
        Request(np.array([46]), prompt),
        Request(np.array([1]), np.zeros((64, 10), np.float32)),
    ]
    with pytest.raises(RasenError) as error:
        generate_batch(net, wrong, 0.3)
    for told in ("0.3 s hold no patch", "request 0: no lyrics", "request 1: 25 ids of lyrics",
                 "request 2: ids from 46 to 46", "request 3: the prompt has shape"):  # fmt: skip
        assert told in str(error.value)


def test_a_network_in_training_is_refused(net):
    net.train()
    try:
        with pytest.raises(RasenError, match=r"call net\.eval\(\)"):
            generate(net, np.array([1]), np.zeros((10, 64), np.float32))
    finally:
        net.eval()
