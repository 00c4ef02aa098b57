"""The `audiocraft` family against the real audiocraft 1.3.0, in an environment of its own."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import every_layer

from rasen.errors import RasenError
from rasen.families import open_family
from rasen.families.audiocraft import renamed
from rasen.families.musicgen import official_init_rule
from rasen.measure.interpolate import network_at_point
from rasen.study.recipe import Recipe
from rasen.study.registry import FAMILIES
from rasen.weights.certify import certify
from rasen.weights.init_rules import draw_tensor

ROOT = Path(__file__).parents[2]
EPS = torch.finfo(torch.float32).eps  # 1.2e-7, by which neighbouring float32 numbers differ
# Both sides are float32 and add up in their own order, which depends on the processor; measured on
# three instruction sets of x86, in EPS of the largest number: 2.5 of layers and logits, 2.4 of mean
# losses (1.4e-6 of a loss of 5). Mistakes are far above: sinusoids rounded otherwise make 1e-4, a
# wrong target of 24 moves their mean by 1e-1, in EPS a thousand and a million.
LAYERS, MEAN = 20, 16


@pytest.fixture(scope="session")
def oracle(tmp_path_factory):
    """A checkpoint made and loaded by audiocraft itself, and what it computes."""
    folder = tmp_path_factory.mktemp("audiocraft")
    python = subprocess.check_output([ROOT / "workflow/install", "audiocraft"], text=True).strip()
    subprocess.run([python, Path(__file__).with_name("oracle.py"), folder], check=True)
    return folder, np.load(folder / "oracle.npz")


def opened(folder):
    family = open_family("audiocraft", folder)
    return family, network_at_point(family, Recipe("audiocraft", str(folder)), "cpu")


def difference(ours, theirs):
    return (ours - torch.from_numpy(theirs)).abs().max().item()


def off(ours, theirs):
    """Largest difference, in float32 roundings (EPS) of the largest number of theirs."""
    return (difference(ours, theirs) / np.abs(theirs).max() / EPS).item()


@torch.inference_mode()
@pytest.mark.parametrize("name", ["logits_null", "released_logits_null"])
def test_logits_equal_audiocraft(oracle, name):
    folder, reference = oracle
    _, network = opened(folder / "released" if "released" in name else folder)
    sequence = torch.from_numpy(reference["sequence"])
    logits = network(input_ids=sequence).logits.view(reference[name].shape)
    assert off(logits, reference[name]) <= LAYERS


@torch.inference_mode()
def test_logits_equal_audiocraft_under_text(oracle):
    """The null condition hides the cross-attention; a text does not."""
    folder, reference = oracle
    _, network = opened(folder)
    text = torch.from_numpy(reference["text_condition"])
    output = network(
        input_ids=torch.from_numpy(reference["sequence"]), encoder_hidden_states=text
    ).logits.view(reference["logits_text"].shape)
    assert off(output, reference["logits_text"]) <= LAYERS


@torch.inference_mode()
def test_thirty_seconds(oracle):
    """Rounding of the sinusoids alone would make 1e-4 here; we use audiocraft's own."""
    folder, reference = oracle
    family, network = opened(folder)
    codes = torch.from_numpy(reference["long_codes"]).transpose(1, 2)
    batch = {"codes": codes, "lengths": torch.tensor([codes.shape[1]])}
    sums, counts = family.losses(network, batch)
    assert off((sums / counts).mean(), reference["long_ce"]) <= MEAN
    table = network.model.decoder.embed_positions.weights[: len(reference["positions"])]
    assert difference(table, reference["positions"]) == 0


@torch.inference_mode()
def test_cross_entropy_and_layers_equal_audiocraft(oracle):
    folder, reference = oracle
    family, network = opened(folder)
    codes = torch.from_numpy(reference["codes"]).transpose(1, 2)  # [clip, time, book]
    batch = {"codes": codes, "lengths": torch.full((len(codes),), codes.shape[1])}
    sums, counts = family.losses(network, batch)
    each = sums.sum(0) / counts.sum(0)
    assert off(each, reference["ce_codebook"]) <= MEAN
    assert off(each.mean(), reference["ce"]) <= MEAN
    assert off(sums / counts, reference["ce_clip_codebook"]) <= MEAN
    assert torch.equal(counts.sum(-1), torch.from_numpy(reference["prediction_mask"].sum((1, 2))))

    hidden = every_layer(family, network, batch)
    assert off(hidden[0], reference["embedded_null"][:, 1:]) <= LAYERS
    for layer, theirs in enumerate(reference["blocks_null"][:-1], start=1):
        assert off(hidden[layer], theirs[:, 1:]) <= LAYERS
    assert off(hidden[-1], reference["normed_null"][:, 1:]) <= LAYERS


def test_official_initialisation_equals_audiocraft(oracle):
    """Every tensor's width and kind of distribution, against audiocraft's own builder."""
    statistics = json.loads((oracle[0] / "init_stats.json").read_text())
    for name, theirs in statistics.items():
        if name.startswith("condition_provider"):
            continue
        ours = renamed(name).replace("in_proj_weight", "q_proj.weight")
        values = draw_tensor(
            [official_init_rule(ours, theirs["shape"])], theirs["shape"], 0, name
        ).double()
        if theirs["std"] == 0:
            assert values.unique().tolist() == [theirs["mean"]], name
            continue
        spread = values.std(correction=0).item()
        tolerance = 6 / (2 * values.numel()) ** 0.5 + 0.002
        assert abs(spread / theirs["std"] - 1) < tolerance, name
        kurtosis = (values**4).mean().item() / spread**4
        assert abs(kurtosis - theirs["kurtosis"]) < 0.1, name
        assert values.abs().max() <= max(-theirs["min"], theirs["max"]) * 1.05, name


def test_relatives_of_musicgen_are_refused(oracle, tmp_path):
    content = torch.load(oracle[0] / "state_dict.bin", weights_only=True)
    config = content["xp.cfg"].replace("bias_ff: false", "bias_ff: true")
    torch.save(content | {"xp.cfg": config}, tmp_path / "state_dict.bin")
    with pytest.raises(RasenError, match="bias_ff is True, expected False"):
        open_family("audiocraft", tmp_path)


def test_training_checkpoints_are_refused_with_the_cure(tmp_path):
    torch.save({"best_state": {"model": {}}, "xp.cfg": {}}, tmp_path / "state_dict.bin")
    with pytest.raises(RasenError, match="export_lm"):
        open_family("audiocraft", tmp_path)


def test_a_training_checkpoint_is_refused_by_the_certificate_too(tmp_path):
    torch.save({"best_state": {"model": {}}, "xp.cfg": {}}, tmp_path / "state_dict.bin")
    with pytest.raises(RasenError, match="export_lm"):
        certify(tmp_path, FAMILIES["audiocraft"].reader)


def test_steps_of_a_run_are_read_from_their_own_folders(oracle, tmp_path):
    content = torch.load(oracle[0] / "state_dict.bin", weights_only=True)
    content["best_state"]["out_norm.bias"] += 1
    torch.save(content, tmp_path / "state_dict.bin")
    recipe = Recipe("audiocraft", str(oracle[0]))
    family = open_family("audiocraft", oracle[0])
    step = network_at_point(
        family, replace(recipe, point="step-000005", checkpoint=str(tmp_path)), "cpu"
    )
    trained = network_at_point(family, recipe, "cpu")
    moved = step.model.decoder.layer_norm.bias - trained.model.decoder.layer_norm.bias
    assert torch.allclose(moved, torch.ones(()))
    assert certify(tmp_path, FAMILIES["audiocraft"].reader)["tensors"] > 40
