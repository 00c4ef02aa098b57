"""The families that listen and make no sound: MuQ, MusicFM, MERT (their packages: tests/songs)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from transformers import HubertModel

from rasen.errors import RasenError
from rasen.families import open_family
from rasen.io import hdf5, inputs
from rasen.measure.activations import DumpSettings, describe, dump
from rasen.measure.batches import batches
from rasen.measure.gradient import correct_network
from rasen.measure.guessing import guessed_losses
from rasen.measure.interpolate import load_at_point
from rasen.measure.perplexity import clip_losses
from rasen.study.config import load_config
from rasen.study.recipe import Initialisation, Recipe

ROOT = Path(__file__).parents[2]
MAKERS = {"muq": tiny.muq, "musicfm": tiny.musicfm, "mert": tiny.mert}
LENGTHS = (24000, 24000, 17000, 9999)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


@pytest.fixture(scope="module")
def sounds():
    rng = np.random.default_rng(0)
    return [
        np.sin(np.cumsum(rng.uniform(0.01, 1, length // 600 + 1).repeat(600)[:length]))
        for length in LENGTHS
    ]


@pytest.fixture
def encoded(folders, sounds, tmp_path):
    """A family's inputs of all the sounds."""

    def of(name):
        family = open_family(name, folders[name])
        clips = pd.DataFrame({"clip": [f"clip{i}" for i in range(len(sounds))]})
        path = tmp_path / f"{name}.h5"
        inputs.write_inputs(path, [family.encode(s, "cpu") for s in sounds], clips)
        return inputs.Inputs(path)

    return of


def opened(folders, name, point="trained", **more):
    recipe = Recipe(name, str(folders[name]), point, initial=Initialisation(), **more)
    return load_at_point(recipe, "cpu")


def hidden(family, network, batch):
    with torch.inference_mode():
        return dict(family.hidden(network, batch, range(len(family.layers))))


@pytest.mark.parametrize("name", MAKERS)
def test_a_clip_is_the_same_alone_and_in_a_batch(folders, encoded, name):
    family, network = opened(folders, name)
    clips = encoded(name)
    alone = [hidden(family, network, part) for part in clips.batches(1)]
    place = 0
    for part in batches(family, clips, 4, "cpu", "test"):
        assert len(set(part["lengths"].tolist())) == 1
        count = len(part["lengths"])
        for layer, values in hidden(family, network, part).items():
            wanted = torch.cat([alone[place + i][layer] for i in range(count)])
            assert (values - wanted).abs().max() < 1e-6 * wanted.abs().max().clamp(min=1)
        place += count
    assert place == len(LENGTHS)


@pytest.mark.parametrize("name", MAKERS)
def test_padding_would_change_a_clip(folders, encoded, name):
    family, network = opened(folders, name)
    clips = encoded(name)
    padded = next(clips.batches(4))
    alone = hidden(family, network, next(clips.batches(1)))
    short = hidden(family, network, list(clips.batches(1))[-1])
    together = hidden(family, network, padded)
    count = short[3].shape[1]
    assert torch.allclose(together[3][:1], alone[3], atol=1e-4)
    assert (together[3][-1:, :count] - short[3]).abs().max() > 0.1


@pytest.mark.parametrize("name", MAKERS)
def test_frames_are_what_the_network_gives(folders, encoded, name):
    family, network = opened(folders, name)
    for part in encoded(name).batches(1):
        for values in hidden(family, network, part).values():
            assert values.shape[1] == int(family.frames(part["lengths"])[0])
    assert family.frame_rate == {"mert": 75}.get(name, 25)


def test_mert_gives_one_frame_less_than_its_rate_says(folders):
    assert open_family("mert", folders["mert"]).frames(torch.tensor([8000])).item() == 24


@pytest.mark.parametrize("pool", ["all", 10])
@pytest.mark.parametrize("name", ["muq", "mert"])
def test_a_dump_says_when_its_rows_are(folders, encoded, tmp_path, name, pool):
    family, network = opened(folders, name)
    clips = encoded(name)
    path = tmp_path / "d.h5"
    dump(family, network, clips, path, DumpSettings([1, 3], pool), "cpu", 2, recipe={})
    whole = [hidden(family, network, part)[3][0].numpy() for part in clips.batches(1)]
    assert json.loads(json.dumps(describe(tmp_path / "d.h5")))["pool"] == pool
    with hdf5.open_file(tmp_path / "d.h5") as file:
        rows, clip = file["layers/03"][:], file["rows/clip"][:]
        frame, time = file["rows/frame"][:], file["rows/time"][:]
    rate = family.frame_rate if pool == "all" else pool
    assert np.allclose(time, (frame + 0.5) / rate)
    for number, values in enumerate(whole):
        if pool != "all":  # the mean of the frames whose middle lies in each tenth of a second
            of_bin = ((np.arange(len(values)) + 0.5) / family.frame_rate * pool).astype(int)
            values = np.stack([values[of_bin == b].mean(0) for b in range(of_bin.max() + 1)])
        assert np.array_equal(frame[clip == number], np.arange(len(values)))
        assert np.allclose(rows[clip == number], values, atol=1e-5)


def test_more_frames_than_a_model_has_are_refused(folders, encoded, tmp_path):
    family, network = opened(folders, "muq")
    with pytest.raises(RasenError, match="50 a second, but this model has 25 frames a second"):
        dump(family, network, encoded("muq"), tmp_path / "d.h5", DumpSettings("all", 50), "cpu", 2)


@pytest.mark.parametrize("name", MAKERS)
def test_the_route_ends_at_the_checkpoint_and_starts_at_the_official_rule(folders, name):
    _, trained = opened(folders, name)
    _, start = opened(folders, name, "untrained")
    _, middle = opened(folders, name, "linear-0.250")
    for key, end in trained.state_dict().items():
        first, between = start.state_dict()[key], middle.state_dict()[key]
        if end.is_floating_point():
            assert torch.allclose(between, first + 0.25 * (end - first), atol=1e-6), key
        else:
            assert torch.equal(between, end)
    norms = {"bn1.running_var", "batch_norm.running_var", "layer_norm.weight"}
    for key, tensor in start.state_dict().items():
        if any(key.endswith(norm) for norm in norms):
            assert (tensor == 1).all(), key


def test_official_init_of_the_conformer_is_pytorchs(folders):
    """Standard deviations of a network that PyTorch itself makes, tensor by tensor."""
    from rasen.networks.conformer import MusicConformer

    family, start = opened(folders, "muq", "untrained")
    torch.manual_seed(0)
    theirs = [MusicConformer(family.sizes).state_dict() for _ in range(20)]
    compared = 0
    for key, tensor in start.state_dict().items():
        values = torch.stack([other[key].float() for other in theirs])
        if tensor.numel() >= 256:
            assert tensor.std().item() == pytest.approx(values.std().item(), rel=0.15), key
            assert tensor.abs().max() <= values.abs().max() * 1.01
            compared += 1
    assert compared > 20


def test_official_init_of_mert_is_fairseqs(folders):
    _, start = opened(folders, "mert", "untrained")
    state = start.state_dict()
    query = torch.cat([v.flatten() for k, v in state.items() if k.endswith("q_proj.weight")])
    assert query.std().item() == pytest.approx(0.02, rel=0.05)
    conv = state["feature_extractor.conv_layers.1.conv.weight"]  # fan-in 16 channels x 3
    assert conv.std().item() == pytest.approx((2 / 48) ** 0.5, rel=0.1)
    positions = state["encoder.pos_conv_embed.conv.weight"]  # [32, 8, 16]
    assert positions.std().item() == pytest.approx((4 / (16 * 32)) ** 0.5, rel=0.1)


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_mert_equals_hubert(tmp_path, sounds, old, stable):
    folder = tiny.mert(tmp_path / "m", old=old, do_stable_layer_norm=stable)
    family, network = load_at_point(Recipe("mert", str(folder)), "cpu")
    (tmp_path / "h").mkdir()
    tensors = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
    }
    theirs = HubertModel(family.config).eval()
    theirs.load_state_dict(tensors)
    batch = {k: torch.from_numpy(v)[None] for k, v in family.encode(sounds[0], "cpu").items()}
    with torch.inference_mode():
        wanted = theirs(batch["samples"], output_hidden_states=True).hidden_states
    for layer, values in hidden(family, network, batch).items():
        if layer == len(wanted) - 1:
            wanted_here = theirs(batch["samples"]).last_hidden_state
        else:
            wanted_here = wanted[layer]
        assert (values - wanted_here).abs().max() < 1e-5 * wanted_here.abs().max()


def test_mert_normalises_a_clip_as_its_preprocessor_says(folders, sounds, tmp_path):
    from transformers import Wav2Vec2FeatureExtractor

    family = open_family("mert", folders["mert"])
    theirs = Wav2Vec2FeatureExtractor.from_pretrained(folders["mert"])
    wanted = theirs(sounds[0], sampling_rate=24000, return_tensors="np").input_values[0]
    assert np.allclose(family.encode(sounds[0], "cpu")["samples"], wanted, atol=1e-5)
    family.preprocessor["do_normalize"] = False
    assert np.allclose(family.encode(sounds[0], "cpu")["samples"], sounds[0], atol=1e-6)


@pytest.mark.parametrize("name", MAKERS)
def test_an_export_opens_and_gives_the_same(folders, encoded, tmp_path, name):
    family, network = opened(folders, name, "linear-0.500")
    family.export(network, tmp_path / "export")
    again, loaded = load_at_point(Recipe(name, str(tmp_path / "export")), "cpu")
    part = next(encoded(name).batches(2))
    for layer, values in hidden(family, network, part).items():
        assert torch.allclose(hidden(again, loaded, part)[layer], values, atol=1e-5)
    if name == "mert":
        HubertModel.from_pretrained(tmp_path / "export")


@pytest.mark.parametrize("name", ["muq", "musicfm"])
def test_masked_loss(folders, encoded, name):
    family, network = opened(folders, name)
    clips = encoded(name)
    table = clip_losses(family, network, clips, "cpu", 4)
    one = clip_losses(family, network, clips, "cpu", 1)
    assert np.allclose(table["loss"], one["loss"], rtol=1e-6)
    counts = family.targets(torch.from_numpy(clips.lengths))[:, 0].tolist()
    assert table["targets"].tolist() == counts == [75, 75, 51, 30]
    guessed = guessed_losses(family, clips).query("guesser == 'uniform'")
    assert guessed["targets"].tolist() == counts
    np.testing.assert_allclose(guessed["loss"], np.log(tiny.CARD) * np.array(counts))
    assert (table["loss"] / table["targets"]).between(0.5, 20).all()
    # an untrained model knows nothing of the codes
    _, start = opened(folders, name, "untrained")
    chance = clip_losses(family, start, clips, "cpu", 4)
    mean = chance["loss"].sum() / chance["targets"].sum()
    assert mean == pytest.approx(np.log(tiny.CARD), rel=0.15)


def test_every_frame_is_masked_in_three_of_five_passes():
    from rasen.networks.masked_prediction import passes

    samples = torch.zeros(2, 24000 * 3 + 500)
    seen = torch.zeros(75, dtype=int)
    for masked, frames in passes(samples):
        noisy = masked[:, : 75 * 960].unflatten(1, (75, 960)).abs().sum(-1)
        assert torch.equal(noisy[0] > 0, frames)
        assert torch.equal(noisy[0], noisy[1])
        assert (masked[:, 75 * 960 :] == 0).all()
        seen += frames
    assert (seen == 3).all()


def test_a_gradient_step_lowers_the_masked_loss(folders, encoded):
    family, network = opened(folders, "musicfm")
    table = correct_network(family, network, encoded("musicfm"), 0.01, 2, "cpu", 4)
    assert table["loss_after"].iloc[-1] < table["loss_before"].iloc[0]


def test_muq_without_its_targets_has_no_loss(tmp_path, sounds):
    folder = tiny.muq(tmp_path / "muq")
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "quantizer" not in name}
    save_file(kept, folder / "model.safetensors")
    family, network = load_at_point(Recipe("muq", str(folder)), "cpu")
    batch = {"samples": torch.from_numpy(family.encode(sounds[0], "cpu")["samples"])[None]}
    with pytest.raises(RasenError, match=r"no quantiser of its own.*set `gradient`"):
        family.losses(network, batch)


def test_a_loss_that_is_not_there_is_refused_when_the_config_is_read(tmp_path):
    iterated = tiny.muq(tmp_path / "iter", use_rvq_target=True)
    mert = tiny.mert(tmp_path / "mert")
    audio = {"kind": "melodies"}
    config = {
        "stimuli": {"music": audio},
        "models": {
            "a": {"family": "mert", "weights": str(mert), "perplexity": "music"},
            "b": {"family": "muq", "weights": str(iterated), "gradient": "music"},
            "c": {"family": "mert", "weights": str(mert), "initial": {"rule": "hf"}},
        },
    }
    with pytest.raises(RasenError) as error:
        load_config(config, ROOT / "workflow/schemas/config.schema.yaml")
    for part in (
        "models.a.perplexity: mert has no loss that can be measured; set it to null",
        "models.b.gradient: the targets of this model's training are not in its checkpoint",
        "models.c.initial.rule: mert has no rule 'hf'; choose from official, zeros, permuted",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("mert", {"feature_extractor_cqt": True}, "feature_extractor_cqt.*not supported"),
        ("mert", {"deepnorm": True}, "deepnorm.*not supported"),
        ("mert", {"hidden_size": 64}, "not a checkpoint of this architecture"),
        ("muq", {"stat": {}}, "not a MuQ"),
        ("muq", {"label_rate": 50}, "label_rate is 50; only 25.0"),
        ("muq", {"encoder_depth": 4}, "missing: conformer.layers.3"),
    ],
)
def test_foreign_checkpoints_are_refused_by_name(tmp_path, name, spoil, message):
    folder = MAKERS[name](tmp_path / "m")
    config = json.loads((folder / "config.json").read_text()) | spoil
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RasenError, match=message):
        load_at_point(Recipe(name, str(folder)), "cpu")


def test_musicfm_needs_its_statistics_and_one_checkpoint(tmp_path):
    folder = tiny.musicfm(tmp_path / "m")
    (folder / "pretrained_fma.pt").touch()
    with pytest.raises(RasenError, match=r"one pretrained.*found: pretrained_fma.pt, pretrained_m"):
        open_family("musicfm", folder)
    (folder / "pretrained_fma.pt").unlink()
    (folder / "msd_stats.json").unlink()
    with pytest.raises(RasenError, match=r"msd_stats.json: no such file; put it beside"):
        open_family("musicfm", folder)


@pytest.mark.parametrize("name", MAKERS)
def test_a_sound_of_less_than_a_frame_is_refused(folders, name):
    with pytest.raises(RasenError, match="use longer clips"):
        open_family(name, folders[name]).encode(np.zeros(300, np.float32), "cpu")


def test_batch_norms_are_blended_or_estimated_anew(folders, encoded):
    from dataclasses import replace

    clips = encoded("muq")
    recipe = Recipe("muq", str(folders["muq"]), "linear-0.500", initial=Initialisation())
    family, blended = load_at_point(recipe, "cpu")
    _, anew = load_at_point(replace(recipe, statistics=str(clips.path)), "cpu")
    norms = {n for n in blended.state_dict() if "running" in n or "batches_tracked" in n}
    assert len(norms) == 3 * (2 * 3 + tiny.DEPTH)
    for name, tensor in blended.state_dict().items():
        same = torch.equal(tensor, anew.state_dict()[name])
        assert same != (name in norms), name
    assert not any(module.training for module in anew.modules())
    # by hand, of the first norm: over clips of one length, then the mean over batches
    inside = []
    anew.conv.conv[0].conv1.register_forward_hook(lambda m, given, output: inside.append(output))
    for part in batches(family, clips, 16, "cpu", "test"):
        hidden(family, anew, part)
    means = torch.stack([values.mean((0, 2, 3)) for values in inside])
    assert torch.allclose(anew.conv.conv[0].bn1.running_mean, means.mean(0), atol=1e-5)
