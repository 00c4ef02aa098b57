"""The conformer of the families muq and musicfm against the package `muq`, layer by layer."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rasen.families import open_family
from rasen.measure.interpolate import load_at_point
from rasen.networks.muq import build_muq, open_muq
from rasen.study.recipe import Initialisation, Recipe

torch.set_num_threads(1)
CONFIG = {
    "label_rate": 25, "codebook_size": 64, "conv_dim": 8, "encoder_dim": 64, "encoder_depth": 3,
    "stat": {"melspec_2048_mean": 6.768444971712967, "melspec_2048_std": 18.417922652295623},
    "w2v2_config": {
        "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "hidden_act": "swish",
        "position_embeddings_type": "rotary", "rotary_embedding_base": 10000,
        "conv_depthwise_kernel_size": 31, "num_conv_pos_embeddings": 128, "layer_norm_eps": 1e-5,
        "num_conv_pos_embedding_groups": 16, "activation_dropout": 0.1, "attention_dropout": 0.1,
        "hidden_dropout": 0.1, "conformer_conv_dropout": 0.1, "layerdrop": 0.0,
        "feat_extract_activation": "gelu", "max_source_positions": 5000,
    },
}  # fmt: skip

TABLES = ("quantizer", "mel", "inv_freq")


@pytest.fixture(scope="module")
def theirs():
    """The package's model with weights and statistics that are all its own."""
    torch.manual_seed(1)
    model = build_muq(CONFIG).eval()
    for name, tensor in model.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point() and not any(part in name for part in TABLES):
            tensor.add_(0.1 * torch.randn_like(tensor))
    return model


@pytest.fixture(scope="module")
def muq_folder(theirs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("muq")
    theirs.config = None  # the package would write it as a repr
    save_file(theirs.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.fixture(scope="module")
def musicfm_folder(theirs, tmp_path_factory):
    """The format of the other package, which differs in one name and in where sizes stand."""
    folder = tmp_path_factory.mktemp("musicfm")
    state = {
        name.replace("quantizer_melspec_2048.", "quantizer_melspec_2048_0."): tensor
        for name, tensor in theirs.state_dict().items()
    }
    torch.save({"state_dict": state}, folder / "pretrained_msd.pt")
    (folder / "msd_stats.json").write_text(json.dumps(CONFIG["stat"]))
    return folder


@pytest.fixture
def sound(rng):
    """Two clips of short tones of all pitches."""
    pitch = rng.uniform(50, 8000, (2, 26)).repeat(960, axis=1)
    loud = rng.uniform(0, 1, (2, 26)).repeat(960, axis=1) ** 4
    tones = loud * np.sin(np.cumsum(2 * np.pi * pitch / 24000, axis=1))
    return (tones + rng.normal(0, 1e-3, tones.shape)).astype(np.float32)


def all_layers(family, network, sound):
    batch = {"samples": torch.from_numpy(sound), "lengths": torch.tensor([sound.shape[1]] * 2)}
    with torch.inference_mode():
        return [values for _, values in family.hidden(network, batch, range(4))]


def test_every_layer_equals_the_package(muq_folder, sound):
    family, network = load_at_point(Recipe("muq", str(muq_folder)), "cpu")
    oracle = open_muq(muq_folder)
    for layer, values in enumerate(all_layers(family, network, sound)):
        wanted = oracle.hidden(torch.from_numpy(sound), layer)
        assert values.shape == wanted.shape == (2, 26, 64)
        assert (values - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_musicfm_is_the_same_network_in_another_format(musicfm_folder, muq_folder, sound):
    family, network = load_at_point(Recipe("musicfm", str(musicfm_folder)), "cpu")
    heads = {**family.sizes.conformer, "num_attention_heads": 4}  # 16 wide here, 64 in the format
    family.sizes = replace(family.sizes, conformer=heads)
    again = family.build("cpu", "float32")
    again.load_state_dict(network.state_dict())
    other, muq = load_at_point(Recipe("muq", str(muq_folder)), "cpu")
    for values, wanted in zip(
        all_layers(family, again, sound), all_layers(other, muq, sound), strict=True
    ):
        assert torch.equal(values, wanted)
    assert family.sizes == replace(other.sizes, conformer=family.sizes.conformer)


def test_codes_and_masked_loss_equal_the_package(theirs, muq_folder, sound, monkeypatch):
    from rasen.networks import masked_prediction

    family, network = load_at_point(Recipe("muq", str(muq_folder)), "cpu")
    samples = torch.from_numpy(sound[:, :24000])
    codes = masked_prediction.codes(network.spectrogram(samples), family.quantiser("cpu"))
    wanted, _ = theirs.model.get_targets(samples.clone())
    assert torch.equal(codes, wanted["melspec_2048"])
    assert len(codes.unique()) > 5
    # one pass: their loss over their masked frames is ours where we mask what they did
    masked, frames = next(masked_prediction.passes(samples))
    where = torch.nonzero(frames[None].expand(2, -1))
    oracle = open_muq(muq_folder)
    with torch.inference_mode():
        logits = theirs.model.linear(oracle.hidden(masked, 3))
        losses, _ = theirs.model.get_loss({"melspec_2048": logits}, {"melspec_2048": codes}, where)
        monkeypatch.setattr(masked_prediction, "passes", lambda _: [(masked, frames)])
        total, _ = masked_prediction.masked_losses(network, samples, family.quantiser("cpu"))
    assert total.sum().item() / len(where) == pytest.approx(losses["melspec_2048"].item(), rel=1e-5)


def test_the_package_opens_what_is_exported(muq_folder, musicfm_folder, tmp_path, sound):
    recipe = Recipe("muq", str(muq_folder), "linear-0.500", initial=Initialisation())
    family, network = load_at_point(recipe, "cpu")
    family.export(network, tmp_path / "export")
    opened = open_muq(tmp_path / "export")  # strict: nothing missing, nothing unknown
    for layer, values in enumerate(all_layers(family, network, sound)):
        assert torch.allclose(values, opened.hidden(torch.from_numpy(sound), layer), atol=1e-5)
    family, network = load_at_point(Recipe("musicfm", str(musicfm_folder)), "cpu")
    family.export(network, tmp_path / "musicfm")
    before = torch.load(musicfm_folder / "pretrained_msd.pt", weights_only=True)["state_dict"]
    after = torch.load(tmp_path / "musicfm/pretrained_msd.pt", weights_only=True)["state_dict"]
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert open_family("musicfm", tmp_path / "musicfm").sizes == family.sizes
