"""SongBloom's network: what sees what, its conditions, its sizes and its files."""

import numpy as np
import pytest
import torch
import yaml
from songbloom_windows import COMMA, FLAGS, STOP, FakeWindows, settings, tiny
from transformers import DynamicCache

from rasen.errors import RasenError
from rasen.networks.songbloom import IGNORED, SongBloom, lm_targets
from rasen.networks.songbloom_checkpoint import (
    as_yaml,
    files_of,
    read_about,
    read_tensors,
    write_checkpoint,
)
from rasen.networks.songbloom_config import PRESETS, preset
from rasen.networks.songbloom_init import initialised
from rasen.songbloom.batches import as_batch, window_sample

TOKENS = ["", "[verse]", "[chorus]", "[intro]", ".", ",", *(f"p{n}" for n in range(40))]


@pytest.fixture(scope="module")
def net():
    network = initialised(tiny(), 0)
    with torch.no_grad():  # so that norms and biases matter
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                rng = np.random.default_rng(len(name))
                parameter += torch.from_numpy(rng.standard_normal(len(parameter)) * 0.1).float()
    return network.eval()


@pytest.fixture(scope="module")
def batch():
    windows = FakeWindows()
    return as_batch([window_sample(windows[n], tiny(), settings(), "test") for n in (0, 1)], tiny())


@pytest.mark.parametrize(
    ("name", "billions"),
    [("paper_tiny", 0.966), ("paper_full", 1.419), ("public_150s", 1.872), ("public_240s", 1.872)],
)
def test_parameters_of_the_presets(name, billions):
    with torch.device("meta"):
        network = SongBloom(preset(name))
    assert sum(p.numel() for p in network.parameters()) / 1e9 == pytest.approx(billions, abs=5e-4)


def test_parts_of_the_public_model():
    with torch.device("meta"):
        network = SongBloom(preset("public_150s"))
    parts = {"ar_transformer": 1359, "nar_dit": 453}
    for name, millions in parts.items():
        count = sum(p.numel() for p in getattr(network, name).parameters())
        assert count / 1e6 == pytest.approx(millions, abs=0.5)


@torch.no_grad()
def test_one_pass_equals_token_by_token(net, batch):
    """With a cache, a row at a time: hidden vectors and logits."""
    out = net(batch)
    sequence = net.sequence(net.embed_sketch(batch), batch["latents"])
    conditions, filled = net.conditions(batch)
    cache, read = DynamicCache(config=net.ar_transformer.config), []
    for place in range(sequence.shape[1]):
        row = sequence[:, place : place + 1]
        mask = net.mask(filled, place + 1)
        read.append(net.decode(row, conditions if place == 0 else None, mask, cache))
    hidden, logits = net.split(torch.cat(read, 1))
    assert torch.allclose(hidden, out.hidden, atol=1e-5)
    assert torch.allclose(logits, out.logits, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("see_padding", [True, False])
def test_padding_of_conditions_is_seen_or_not(net, batch, see_padding, monkeypatch):
    other = SongBloom(tiny(see_padding=see_padding)).eval()
    other.load_state_dict(net.state_dict())
    before = other(batch).logits
    conditions, filled = other.conditions(batch)
    assert not filled.all()
    changed = torch.where(filled[..., None], conditions, 1.0)
    monkeypatch.setattr(other, "conditions", lambda batch: (changed, filled))
    assert torch.equal(other(batch).logits, before) != see_padding


@torch.no_grad()
def test_a_hidden_vector_never_sees_its_own_latents(net, batch):
    before = net(batch).hidden
    changed = dict(batch)
    changed["latents"] = batch["latents"].clone()
    changed["latents"][:, 16:32] += 1  # patch 1
    after = net(changed).hidden
    assert torch.equal(before[:, :2], after[:, :2])
    assert ((before[:, 2:] - after[:, 2:]).abs().amax((1, 2)) > 1e-4).all()


def test_the_flow_teaches_the_decoder(net, batch):
    net.zero_grad()
    net(batch).flow.backward()
    with_gradient = {n for n, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert {"ar_transformer.layers.0.mlp.up_proj.weight", "skeleton_emb.weight"} <= with_gradient
    assert not any(name.startswith("skeleton_classifier") for name in with_gradient)
    net.zero_grad()


def test_only_a_window_at_the_end_has_an_end(batch):
    targets = lm_targets(batch, tiny())
    assert targets[0, 64] == tiny().end  # 64 frames, the song's last
    assert (targets[1, 48:] == IGNORED).all()  # 48 frames of a longer song
    assert (targets[:, :48] != IGNORED).all()


@torch.no_grad()
def test_losses_are_those_of_their_definitions(net, batch):
    out = net(batch)
    wanted = lm_targets(batch, tiny())
    there = wanted != IGNORED
    chosen = out.logits.log_softmax(-1)[there].gather(1, wanted[there][:, None])
    assert float(out.lm) == pytest.approx(-float(chosen.mean()), rel=1e-5)
    patches = []
    sketch = net.embed_sketch(batch)
    for row, patch in [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]:
        at = slice(16 * patch, 16 * patch + 16)
        t, z, n = batch["time"][row, patch], batch["latents"][row, at], batch["noise"][row, at]
        before = batch["latents"][row, 16 * patch - 16 : 16 * patch] if patch else 0 * z
        v = net.velocity(
            ((1 - t) * z + t * n)[None], t[None], out.hidden[row, patch][None],
            sketch[row, at][None], before[None],
        )  # fmt: skip
        patches.append((v[0] - (n - z)).square().mean())
    assert float(out.flow) == pytest.approx(float(torch.stack(patches).mean()), rel=1e-5)
    assert int(out.patches) == 7


@pytest.mark.parametrize("part", ["hidden", "previous", "sketch"])
@torch.no_grad()
def test_what_the_diffusion_is_not_told_changes_nothing(net, batch, part):
    told = tuple(name for name in ("hidden", "previous", "sketch") if name != part)
    deaf = SongBloom(tiny(told=told)).eval()
    deaf.load_state_dict(net.state_dict())
    n = 3
    given = {"noisy": (n, 16, 64), "hidden": (n, 96), "sketch": (n, 16, 96)}
    given |= {"previous": (n, 16, 64)}
    draws = {name: torch.randn(shape) for name, shape in given.items()}
    other = draws | {part: torch.randn(given[part])}
    time = torch.full((n,), 0.3)
    assert torch.equal(deaf.velocity(time=time, **draws), deaf.velocity(time=time, **other))
    assert not torch.allclose(net.velocity(time=time, **draws), net.velocity(time=time, **other))


# --- conditions


def test_structure_of_lyrics_by_hand(net):
    verse, chorus, _ = FLAGS
    ids = torch.tensor([[9, verse, 10, 11, STOP, 12, COMMA, 13, chorus, 14, STOP, 15]])
    structure, sentence, mark = net.condition_provider.conditioners["lyrics"].structure(ids)
    v, c = verse, chorus
    assert structure[0].tolist() == [0, v, v, v, STOP, v, COMMA, v, c, c, STOP, c]
    assert sentence[0].tolist() == [1, 0, 1, 1, 0, 2, 0, 2, 0, 1, 0, 2]
    assert mark[0].nonzero()[:, 0].tolist() == [1, 4, 6, 8, 10]


@pytest.mark.parametrize("twice", [True, False])
def test_marks_count_twice_or_once(twice):
    lyrics = initialised(tiny(double_marks=twice), 0).condition_provider.conditioners["lyrics"]
    rows, _ = lyrics(torch.tensor([[1, 9]]), torch.tensor([2]))
    table, sentences = lyrics.output_proj.weight, lyrics.sentence_idx_in_structure_emb.weight
    assert torch.allclose(rows[0, 0], (2 if twice else 1) * table[1])
    assert torch.allclose(rows[0, 1], table[9] + table[1] + sentences[1])
    assert not rows[0, 2:].any()


def test_sentences_beyond_the_last_share_its_number():
    lyrics = initialised(tiny(sentences=3), 0).condition_provider.conditioners["lyrics"]
    ids = torch.tensor([[9, STOP, 9, STOP, 9, STOP, 9]])
    assert lyrics.structure(ids)[1][0].tolist() == [1, 0, 2, 0, 2, 0, 2]


# --- first weights, files, refusals


def test_first_weights_follow_from_seed_and_name():
    first, again, other = (initialised(tiny(), seed).state_dict() for seed in (0, 0, 1))
    for name, tensor in first.items():
        assert torch.equal(tensor, again[name])
        if tensor.ndim == 2 and "blank" not in name:
            assert not torch.equal(tensor, other[name])
            std = 1 if name == "timestep_features.weight" else 0.02
            assert float(tensor.std()) == pytest.approx(std, rel=0.15)
    assert not first["condition_provider.conditioners.lyrics.output_proj.weight"][0].any()
    assert (first["nar_dit.layers.0.pre_norm.gamma"] == 1).all()
    wider = initialised(tiny(lm_layers=3), 0).state_dict()
    assert all(torch.equal(tensor, wider[name]) for name, tensor in first.items())


def test_a_checkpoint_comes_back(tmp_path, net):
    config = tiny(see_padding=False, told=("hidden", "sketch"), lm_rope=5000.0)
    write_checkpoint(tmp_path, net.state_dict(), config, TOKENS, {"inventory": "x", "step": 3})
    found = read_about(tmp_path)
    assert found.config == config
    assert found.tokens == tuple(TOKENS)
    assert found.about == {"inventory": "x", "step": 3}
    tensors = read_tensors(tmp_path, config)
    assert all(torch.equal(tensors[n].read(), t) for n, t in net.state_dict().items())


def public_folder(folder, net, **changes):
    """As the public weights lie: a Lightning module's state dict, a YAML with resolvers."""
    content = yaml.safe_load(as_yaml(net.config, TOKENS, {}))
    del content["rasen"]
    content["vae"] = {"vae_cfg": "${oc.env:HOME}/vae.json"}
    content["max_dur"] = "${eval:__import__('os').getpid()}"
    lyrics = content["model"]["condition_provider_cfg"]["lyrics"]
    lyrics["vocab_list"] = "${load_yaml:vocab_g2p.yaml}"
    content["model"] |= changes
    (folder / "songbloom_x.yaml").write_text(yaml.safe_dump(content))
    (folder / "vocab_g2p.yaml").write_text(yaml.safe_dump({"vocab": TOKENS}))
    state = {f"model.{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save({**state, "vae.vae.encoder.weight": torch.ones(3)}, folder / "songbloom_x.pt")


def test_the_public_layout_is_read(tmp_path, net):
    public_folder(tmp_path, net)
    found = read_about(tmp_path)
    assert found.config == net.config
    tensors = read_tensors(tmp_path, found.config)
    assert all(torch.equal(tensors[n].read(), t) for n, t in net.state_dict().items())
    write_checkpoint(tmp_path / "again", net.state_dict(), found.config, found.tokens)
    assert read_about(tmp_path / "again").config == net.config


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_pitch": "${eval:2**5}"}, "model.num_pitch: '\\${eval"),
        ({"backend": "bart"}, "model.backend: 'bart'; only 'llama'"),
        ({"num_heads": 6}, "heads are 16 wide; take at most 3"),
        ({"dim": 64, "num_heads": 2}, "width 64 equals the latents"),
    ],
)
def test_what_a_public_config_may_not_say(tmp_path, net, changes, told):
    public_folder(tmp_path, net, **changes)
    with pytest.raises(RasenError, match=told):
        read_about(tmp_path)


def test_tensors_of_other_sizes_are_named(tmp_path, net):
    state = dict(net.state_dict())
    state["bos_token"] = state["bos_token"][:5]
    del state["project_in.bias"]
    write_checkpoint(tmp_path, state, tiny(), TOKENS)
    with pytest.raises(RasenError) as error:
        read_tensors(tmp_path, tiny())
    assert "bos_token" in str(error.value)
    assert "project_in.bias" in str(error.value)


def test_a_folder_without_a_songbloom(tmp_path):
    with pytest.raises(RasenError, match=r"wanted config.yaml and model.safetensors"):
        files_of(tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 100, "heads": 3}, "not a multiple of 3 heads"),
        ({"flags": (99,)}, "lie outside the 46 ids"),
        ({"told": ("hiden",)}, "did you mean 'hidden'"),
        ({"lm_layers": 0}, "lm_layers 0: at least 1"),
    ],
)
def test_sizes_that_are_refused(changes, told):
    with pytest.raises(RasenError, match=told):
        SongBloom(tiny(**changes))


def test_an_unknown_preset():
    with pytest.raises(RasenError, match="did you mean 'paper_tiny'"):
        preset("paper-tiny")
    assert set(PRESETS) == {"toy", "paper_tiny", "paper_full", "public_150s", "public_240s"}
