"""The `jukebox` family compared with transformers' own Jukebox.

Runs with the python of `envs/jukebox.txt` (tests/jukebox/test_jukebox.py starts it).
"""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from safetensors.torch import save_model
from transformers.models.deprecated.jukebox import JukeboxConfig, JukeboxModel, JukeboxPrior

from rasen.errors import RasenError
from rasen.families import open_family
from rasen.families.jukebox import LEVELS
from rasen.families.jukebox_causality import looks_ahead
from rasen.io.inputs import Inputs, write_inputs
from rasen.measure.gradient import correct_network
from rasen.measure.guessing import guessed_losses
from rasen.measure.interpolate import initial_tensors, network_at_point
from rasen.measure.lens import layer_losses
from rasen.measure.perplexity import clip_losses
from rasen.measure.recovery import loss_recovered
from rasen.study.recipe import Initialisation, Recipe
from rasen.study.registry import FAMILIES
from rasen.weights.certify import certify
from rasen.weights.network_tensors import named_tensors

RATE = 8000
CASES = [("1b", level) for level in LEVELS] + [("5b", "top")]


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A tiny model whose top prior reads lyrics as 1b does, and one that does as 5b."""
    home = tmp_path_factory.mktemp("jukebox")
    return {
        "1b": tiny.jukebox(home / "1b"),
        "5b": tiny.jukebox(home / "5b", separate_lyrics=True),
    }


@pytest.fixture(scope="session")
def theirs(folders):
    return {size: JukeboxModel.from_pretrained(folder).eval() for size, folder in folders.items()}


def opened(folder, level="bottom"):
    """A family and its trained network."""
    family = open_family("jukebox", folder, {"level": level})
    return family, network_at_point(family, Recipe("jukebox", str(folder)), "cpu")


@pytest.fixture(scope="session", params=CASES, ids="-".join)
def case(request, folders, theirs):
    """(family, its trained network, transformers' model) of a level."""
    size, level = request.param
    return *opened(folders[size], level), theirs[size]


@pytest.fixture(scope="session")
def bottom(folders):
    return opened(folders["1b"])


def sound(samples, seed=0):
    rng = np.random.default_rng(seed)
    loud = np.linspace(0.05, 0.4, samples)
    return (loud * rng.standard_normal(samples)).astype(np.float32)


@pytest.fixture
def inputs(tmp_path):
    """A function: clips of so many samples, encoded by a family."""

    def encoded(family, *samples):
        clips = [family.encode(sound(n, seed), "cpu") for seed, n in enumerate(samples)]
        write_inputs(tmp_path / "i.h5", clips, pd.DataFrame({"clip": [f"c{n}" for n in samples]}))
        return Inputs(tmp_path / "i.h5")

    return encoded


def batch_of(inputs):
    return next(inputs.batches(len(inputs)))


def window(family, count=1):
    """Samples of so many windows and a rest."""
    return int((count + 0.4) * family.window * family.hop)


def genuine(family, model, batch, clip):
    """What transformers' own functions give for each window of a clip: the loss in bits, what
    enters block 1 and every block's output [position, dim], the audio conditioning, `get_acts`.

    Window by window: `forward_tokens` takes no more than one with separate lyrics. It fails for
    priors that read no lyrics, so these are run by the functions in it.
    """
    prior = model.priors[family.level]
    lyrics = torch.zeros(1, prior.nb_relevant_lyric_tokens, dtype=torch.long)
    blocks = prior.prior.transformer._attn_mods
    for window in range(batch["lengths"][clip] // family.window):
        seen = []
        hooks = [blocks[0].register_forward_pre_hook(lambda m, i, seen=seen: seen.append(i[0][0]))]
        for block in blocks:
            note = block.register_forward_hook(lambda m, i, o, seen=seen: seen.append(o[0]))
            hooks.append(note)
        tokens = batch["codes"][clip, :, 0].long().view(-1, family.window)[[window]]
        labels = torch.cat([batch["labels"][clip, [window]], lyrics], 1)
        audio = acts = None
        with torch.no_grad():
            if family.level:
                above = batch["codes_above"][clip, :, 0].long().view(-1, family.window // 4)
                audio, start, _ = prior.get_cond([above[[window]]], labels)
                bits, acts = prior.prior(tokens, audio, start, None, get_acts=True)
            else:
                bits = prior.forward_tokens(tokens, [], labels)[1]["next_token_prediction_loss"]
        for hook in hooks:
            hook.remove()
        yield bits.item(), seen, audio, acts


# --- stimuli


def test_codes_are_those_of_the_vqvae_window_by_window(case):
    family, _, model = case
    samples = window(family, 2)
    clip = family.encode(sound(samples), "cpu")
    size = family.window * family.hop
    level = 2 - family.level
    for i, part in enumerate(sound(samples)[: 2 * size].reshape(2, size)):
        codes = model.encode(torch.from_numpy(part)[None, :, None], level, level + 2)
        for name, expected in zip(("codes", "codes_above"), codes, strict=False):
            mine = clip[name][i * expected.shape[1] :][: expected.shape[1], 0]
            assert np.array_equal(mine, expected[0].numpy()), name
    assert len(clip["codes"]) == 2 * family.window
    assert ("codes_above" in clip) == (family.level > 0)
    assert len(np.unique(clip["codes"])) > 4
    assert clip["labels"].tolist() == [[samples, 0, size, 0, 0], [samples, size, size, 0, 0]]
    assert family.frame_rate == RATE / family.hop


def test_clips_that_jukebox_cannot_read_are_refused(folders):
    for level, seconds in (("bottom", "0.256"), ("top", "0.512")):
        family = open_family("jukebox", folders["1b"], {"level": level})
        with pytest.raises(
            RasenError, match=rf"less than one window of the level {level}.*{seconds}"
        ):
            family.encode(sound(family.window * family.hop - 1), "cpu")
    with pytest.raises(RasenError, match=r"knows songs of 0\.5 to 60 s"):
        family.encode(sound(61 * RATE), "cpu")


# --- running


def test_losses_are_transformers_own_in_nats(case, inputs):
    family, network, model = case
    given = inputs(family, window(family, 2), window(family))
    batch = batch_of(given)
    losses, counts = family.losses(network, batch)
    assert torch.equal(counts, family.targets(batch["lengths"]))
    assert counts[:, 0].tolist() == [2 * family.window, family.window]
    for clip in range(2):
        bits = [loss for loss, *_ in genuine(family, model, batch, clip)]
        mean = losses[clip, 0] / counts[clip, 0]
        assert mean.item() == pytest.approx(np.mean(bits) * math.log(2), rel=1e-5)
        assert mean.item() > 0.5


def test_layers_are_what_transformers_blocks_give(case, inputs):
    family, network, model = case
    batch = batch_of(inputs(family, window(family, 2)))
    mine = [values[0] for values in tiny.every_layer(family, network, batch)]
    assert len(mine) == family.prior_config.num_layers + 1
    for i, (_, seen, audio, acts) in enumerate(genuine(family, model, batch, 0)):
        part = slice(i * family.window, (i + 1) * family.window)
        for layer, (ours, genuine_) in enumerate(zip(mine, seen, strict=True)):
            assert ours.shape == (2 * family.window, tiny.WIDTH)
            close = torch.allclose(ours[part], genuine_[family.prefix :], rtol=1e-5, atol=1e-5)
            assert close, layer
        if audio is not None:  # transformers' activations have the conditioning added once more
            assert torch.allclose(mine[-1][part] + audio[0], acts[0], rtol=1e-5, atol=1e-5)


def test_a_clip_alone_is_as_in_a_batch(case, inputs):
    family, network, _ = case
    given = inputs(family, window(family, 2), window(family), window(family, 3))
    together = tiny.every_layer(family, network, batch_of(given))
    alone = [tiny.every_layer(family, network, part) for part in given.batches(1)]
    for clip, length in enumerate(given.lengths):
        for layer, values in enumerate(together):
            difference = (values[clip, :length] - alone[clip][layer][0]).abs().max()
            assert difference <= 1e-6 * values.abs().max(), (clip, layer)
    one, all_ = (clip_losses(family, network, given, "cpu", n)["loss"] for n in (1, 3))
    assert np.allclose(one, all_, rtol=1e-6)


def test_one_layer_at_a_time(bottom, inputs):
    family, network = bottom
    batch, ran = batch_of(inputs(family, window(family))), []
    blocks = network.prior.transformer._attn_mods
    hooks = [block.register_forward_hook(lambda m, i, o: ran.append(m)) for block in blocks]
    for layer, _ in family.hidden(network, batch, [0, 2]):
        assert len(ran) == layer, "blocks behind the wanted layer have not run yet"
    assert len(ran) == 2, "the last block is not wanted"
    for hook in hooks:
        hook.remove()


def test_codes_are_predicted_from_earlier_ones_alone(case, inputs):
    family, network, _ = case
    batch = batch_of(inputs(family, window(family, 2)))
    before = tiny.every_layer(family, network, batch)
    place = family.window + family.window // 2 - 3  # in the second window
    changed = dict(batch) | {"codes": batch["codes"].clone()}
    changed["codes"][0, place] = (changed["codes"][0, place] + 1) % tiny.CARD
    after = tiny.every_layer(family, network, changed)
    for old, new in zip(before, after, strict=True):
        moved = (old != new).any(-1)[0].nonzero()[:, 0]
        assert moved[0] == place + 1


@pytest.mark.parametrize(("size", "level"), CASES, ids=lambda value: value)
def test_attention_that_looks_ahead_is_refused(size, level, folders, tmp_path):
    shutil.copytree(folders[size], tmp_path / "model")
    path = tmp_path / "model/config.json"
    config = json.loads(path.read_text())
    place = LEVELS.index(level)
    config["prior_config_list"][place]["mask"] = False  # what transformers takes without a word
    path.write_text(json.dumps(config))
    with pytest.raises(RasenError, match=rf"prior {place} \({level}\) looks ahead.*`mask`"):
        open_family("jukebox", path.parent, {"level": level})
    for other in set(LEVELS) - {level}:
        open_family("jukebox", path.parent, {"level": other})


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("real", [
    {"hidden_size": 1920, "num_layers": 72, "n_heads": 1, "blocks": 128, "n_ctx": 8192,
     "attention_pattern": "raw_column_previous_row_attention", "is_encoder_decoder": False},
    {"hidden_size": 2048, "num_layers": 72, "n_heads": 2, "blocks": 64, "n_ctx": 6144},
    {"hidden_size": 4800, "num_layers": 79, "n_heads": 8, "blocks": 128, "n_ctx": 8192,
     "attention_pattern": "large_separated_enc_dec_w_lyrics", "is_encoder_decoder": False},
], ids=["bottom", "top of 1b", "top of 5b"])  # fmt: skip
def test_the_probe_tells_in_the_published_sizes(real, mask):
    config = JukeboxConfig(prior_config_list=[real | {"mask": mask}] * 3).prior_configs[0]
    assert looks_ahead(config) is not mask


# --- weights


def test_only_the_vqvae_and_one_prior_are_read(folders, bottom, tmp_path, inputs):
    """Of pytorch_model.bin or of safetensors, also where the other priors are missing."""
    state = torch.load(folders["1b"] / "pytorch_model.bin", weights_only=True)
    assert sum(name.startswith("priors.0.") for name in state) > 100
    part = {n: t for n, t in state.items() if n.startswith(("vqvae.", "priors.2."))}
    part["priors.2.prior.transformer._attn_mods.0.attn.c_attn.weight"] *= 2
    shutil.copy(folders["1b"] / "config.json", tmp_path)
    torch.save(part, tmp_path / "pytorch_model.bin")
    family, network = opened(tmp_path)
    old, new = named_tensors(bottom[1]), named_tensors(network)
    differing = [name for name in old if not torch.equal(old[name], new[name])]
    assert differing == ["prior.transformer._attn_mods.0.attn.c_attn.weight"]
    assert family.encode(sound(window(family)), "cpu")["codes"].max() > 0
    with pytest.raises(RasenError, match=r"missing: conditioner_blocks\.embed_tokens\.weight"):
        opened(tmp_path, "middle")


def test_safetensors_are_read_too(folders, theirs, bottom, tmp_path):
    shutil.copy(folders["1b"] / "config.json", tmp_path)
    save_model(theirs["1b"], str(tmp_path / "model.safetensors"))  # leaves out tied tensors
    old, new = named_tensors(bottom[1]), named_tensors(opened(tmp_path)[1])
    assert all(torch.equal(old[name], new[name]) for name in old)
    assert certify(tmp_path, FAMILIES["jukebox"].reader)["tensors"] > 300


def test_weights_of_another_size_or_kind_are_refused_by_name(folders, tmp_path):
    shutil.copytree(folders["1b"], tmp_path / "model")
    path = tmp_path / "model/config.json"
    config = json.loads(path.read_text())
    config["prior_config_list"][2]["mlp_multiplier"] = 2.0
    path.write_text(json.dumps(config))
    with pytest.raises(
        RasenError, match=r"shape of prior.*c_fc\.weight: \[32, 32\], expected \[32, 64\]"
    ):
        opened(path.parent)
    path.write_text(json.dumps(config | {"nb_priors": 2}))
    with pytest.raises(RasenError, match="nb_priors is 2, expected 3"):
        opened(path.parent)
    path.write_text(json.dumps(config | {"model_type": "musicgen"}))
    with pytest.raises(RasenError, match="a 'musicgen' checkpoint, not Jukebox"):
        opened(path.parent)


def test_a_config_with_numbered_priors_is_read(folders, tmp_path):
    shutil.copytree(folders["1b"], tmp_path / "model")
    path = tmp_path / "model/config.json"
    config = json.loads(path.read_text())
    for i, prior in enumerate(config.pop("prior_config_list")):
        config[f"prior_{i}"] = prior
    path.write_text(json.dumps(config))
    family, _ = opened(path.parent)
    assert family.window == 256


def test_a_real_model_is_laid_out_without_memory(folders):
    """981 million parameters of the published bottom prior, on `meta`."""
    family = open_family("jukebox", folders["1b"])
    family.prior_config = JukeboxConfig(prior_config_list=[{
        "hidden_size": 1920, "num_layers": 72, "n_heads": 1, "blocks": 128, "n_ctx": 8192,
        "attention_pattern": "raw_column_previous_row_attention", "mask": True,
        "is_encoder_decoder": False, "merged_decoder": False, "nb_relevant_lyric_tokens": 0,
        "res_conv_width": 1024, "res_conv_depth": 16, "res_dilation_growth_rate": 3,
        "res_dilation_cycle": 8, "metadata_dims": [120, 4111],
    }] * 3).prior_configs[2]  # fmt: skip
    network = family.build("meta", "float32")
    assert {tensor.device.type for tensor in named_tensors(network).values()} == {"meta"}
    assert sum(t.numel() for t in named_tensors(network).values()) == pytest.approx(
        981.3e6, rel=1e-3
    )


def deviations(size, level, folders, rule):
    """{name: standard deviation} of an initialised prior."""
    family = open_family("jukebox", folders[size], {"level": level})
    tensors = initial_tensors(family, Initialisation(rule, 1))
    return family, {name: lazy.read() for name, lazy in tensors.items()}


@pytest.mark.parametrize(("size", "level"), CASES, ids=lambda value: value)
def test_transformers_rule_is_the_one_transformers_uses(size, level, folders):
    family, mine = deviations(size, level, folders, "hf")
    torch.manual_seed(0)
    network = JukeboxPrior(family.prior_config, level=family.level)
    network.apply(network._init_weights)
    for name, tensor in named_tensors(network.requires_grad_(False)).items():
        if name == "encoder.start_token":  # transformers forgets it: memory as it was found
            continue
        if tensor.std() == 0 or tensor.numel() < 60:
            assert mine[name].abs().max() <= 2 * tensor.abs().max(), name
        else:
            expected = tensor.std().item()
            assert mine[name].std().item() == pytest.approx(
                expected, rel=3 / tensor.numel() ** 0.5
            ), name


@pytest.mark.parametrize(("size", "level"), CASES, ids=lambda value: value)
def test_official_rule_is_openais(size, level, folders):
    """Widths of OpenAI's code: .02 s for matrices and codes, .01 s for labels and positions."""
    family, mine = deviations(size, level, folders, "official")
    scale = family.prior_config.init_scale
    assert scale == (0.2 if level == "top" else 0.4)
    widths = {
        "prior.transformer._attn_mods.1.mlp.c_fc.weight": 0.02 * scale,
        "prior.embed_tokens.weight": 0.02 * scale,
        "prior.pos_emb.pos_emb": 0.01 * scale,
        "metadata_embedding.artist_emb.weight": 0.01 * scale,
        "metadata_embedding.bow_genre_emb.weight": 0.01 * scale,
    }
    if level != "top":
        widths["conditioner_blocks.embed_tokens.weight"] = 0.02 * scale
        wide = mine["conditioner_blocks.upsampler.upsample_block.1.weight"]  # [in, out, 4]
        assert wide.abs().max() == pytest.approx((wide.shape[1] * 4) ** -0.5, rel=0.02)
        assert "prior.fc_proj_out.weight" not in mine, "tied to the embeddings"
    else:
        widths["metadata_embedding.total_length_emb.emb.weight"] = 0.01 * scale
        assert mine["prior.fc_proj_out.weight"].abs().max() == pytest.approx(32**-0.5, rel=0.02)
    if size == "5b":
        widths["encoder.transformer._attn_mods.1.mlp.c_fc.weight"] = 0.02 * 0.7
        widths["encoder.start_token"] = 0.01 * 0.7
    for name, width in widths.items():
        tolerance = 3 / mine[name].numel() ** 0.5
        assert mine[name].std().item() == pytest.approx(width, rel=tolerance), name
    assert not mine["prior.transformer._attn_mods.1.mlp.c_fc.bias"].any()
    assert (mine["prior.transformer._attn_mods.1.layer_norm_0.weight"] == 1).all()


def test_every_tensor_moves_along_the_route(case):
    family, _, _ = case
    recipe = Recipe("jukebox", str(family.folder))
    start, middle = (
        named_tensors(
            network_at_point(family, replace(recipe, point=point, initial=Initialisation()), "cpu")
        )
        for point in ("untrained", "linear-0.500")
    )
    end = named_tensors(network_at_point(family, recipe, "cpu"))
    assert set(start) == set(end)
    for name in end:
        assert not torch.equal(start[name], end[name]), name
        assert torch.allclose(middle[name], (start[name] + end[name]) / 2, atol=1e-6), name
    assert len(end) > 40


def test_an_exported_point_opens_in_transformers(case, theirs, tmp_path):
    family, _, model = case
    recipe = Recipe("jukebox", str(family.folder), "linear-0.500", initial=Initialisation())
    network = network_at_point(family, recipe, "cpu")
    family.export(network, tmp_path / "export")
    again, told = JukeboxModel.from_pretrained(tmp_path / "export", output_loading_info=True)
    assert not any(told.values()), told
    for level in range(3):
        expected = (network if level == family.level else model.priors[level]).state_dict()
        mine = again.priors[level].state_dict()
        assert all(torch.equal(mine[name], expected[name]) for name in expected)
    assert all(torch.equal(a, b) for a, b in zip(
        again.vqvae.state_dict().values(), model.vqvae.state_dict().values(), strict=True
    ))  # fmt: skip


# --- what rests on a loss


def test_a_replaced_layer_is_that_layer_in_every_window(case, inputs):
    family, network, _ = case
    given = inputs(family, window(family, 2), window(family))
    shown = []

    def half(x):
        shown.append(x)
        return x / 2

    functions = {"it": lambda x: x, "half": half}
    table = loss_recovered(family, network, given, 1, functions, "cpu", 2).set_index("name")
    assert table["loss"]["it"] == pytest.approx(table["loss_model"]["it"], rel=1e-6)
    assert abs(table["loss"]["half"] - table["loss_model"]["it"]) > 1e-4
    layer = tiny.every_layer(family, network, batch_of(given))[1]
    expected = torch.cat([layer[0], layer[1, : family.window]])
    assert torch.allclose(shown[0], expected, atol=1e-6)


def test_the_loss_of_the_last_layer_is_the_models_own(case, inputs):
    family, network, _ = case
    given = inputs(family, window(family, 2), window(family))
    of_layers = layer_losses(family, network, given, "cpu", 2).groupby("layer")["loss"].sum()
    own = clip_losses(family, network, given, "cpu", 2)["loss"].sum()
    assert len(of_layers) == len(family.layers)
    assert of_layers.iloc[-1] == pytest.approx(own, rel=1e-6)
    assert of_layers.nunique() == len(of_layers)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_gradient_step_lowers_the_loss(case, inputs, checkpointing):
    family, _, _ = case
    network = network_at_point(family, Recipe("jukebox", str(family.folder)), "cpu")
    given = inputs(family, window(family, 2), window(family))
    table = correct_network(family, network, given, 1e-3, 1, "cpu", 2, checkpointing)
    assert table["loss_after"].item() < table["loss_before"].item()
    total = clip_losses(family, network, given, "cpu", 1)
    guessed = guessed_losses(family, given).query("guesser == 'uniform'")
    assert guessed["targets"].tolist() == total["targets"].tolist()
    mean = total["loss"].sum() / total["targets"].sum()
    assert mean == pytest.approx(table["loss_after"].item(), rel=1e-5)


def test_a_point_runs_in_half_precision(case, inputs):
    family, _, _ = case
    recipe = Recipe("jukebox", str(family.folder), dtype="bfloat16")
    network = network_at_point(family, recipe, "cpu")
    losses = clip_losses(family, network, inputs(family, window(family)), "cpu", 1)
    assert np.isfinite(losses["loss"]).all()
