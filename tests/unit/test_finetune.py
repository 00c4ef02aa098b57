"""Layers above one trained with a head: what may change, what is learned, what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

from rasen.errors import RasenError
from rasen.families import open_family
from rasen.figures.freezing import draw_freezing
from rasen.io.inputs import Inputs, write_inputs
from rasen.measure import finetune
from rasen.measure.activations import DumpSettings, dump
from rasen.measure.finetune import Finetuning, FreezingSettings
from rasen.measure.interpolate import load_at_point, network_at_point
from rasen.measure.tasks import DumpedLayers
from rasen.probes.frozen import frozen_rows
from rasen.probes.mlp import initialise, inner_rows, predict, seeded, train_network
from rasen.probes.probing import probe, works_of
from rasen.probes.scoring import Prediction
from rasen.probes.settings import ProbeSettings
from rasen.probes.tasks import Task
from rasen.study.recipe import Initialisation, Recipe

QUICK = FreezingSettings(layers=[1], epochs=2, patience=2, rate=1e-3)
PROBES = ProbeSettings(bootstrap=100, random=False, permutations=0)
FAMILIES = {"musicgen": tiny.musicgen, "muq": tiny.muq, "mert": tiny.mert, "causal_lm": tiny.llama}


def a_target(values, kind="classes", folds=1):
    """One task of all clips, each a group of its own, and the first of five test folds."""
    (work,) = works_of({"t": Task(kind, np.asarray(values))}, np.arange(len(values)), PROBES, 0)
    return work.targets[0], replace(work.plan, outer=work.plan.outer[:folds])


def tuning(family, network, inputs, settings=QUICK, seed=0):
    return Finetuning(family, network, inputs, "mean", settings, "cpu", seed, 4)


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, tmp_path_factory):
    """A tiny model of each kind, with 20 clips of two lengths."""
    folder = FAMILIES[request.param](tmp_path_factory.mktemp(request.param) / "model")
    recipe = Recipe(request.param, str(folder), options={"window": 65})
    family, network = load_at_point(recipe, "cpu")
    rng = np.random.default_rng(0)
    encoded = []
    for number in range(20):
        sound = rng.standard_normal(16000 if number % 3 else 12000).astype(np.float32)
        encoded.append(family.encode("la" * (4 + number % 3) if family.reads == "text" else sound,
                                     "cpu"))  # fmt: skip
    path = tmp_path_factory.mktemp("inputs") / "clips.h5"
    write_inputs(path, encoded, pd.DataFrame({"clip": [f"c{i}" for i in range(20)]}))
    return family, network, Inputs(path)


@pytest.mark.parametrize("layer", range(tiny.DEPTH + 1))
def test_only_the_blocks_above_k_are_trained_and_all_are_as_before(model, layer, monkeypatch):
    family, network, inputs = model
    target, plan = a_target(np.arange(20) % 2)
    before, seen = weights(network), {}

    def watched(*arguments):
        seen.update(weights(network))
        return predict(*arguments)

    monkeypatch.setattr(finetune, "predict", watched)
    # a value that always rises, so that the last epoch is kept
    monkeypatch.setattr("rasen.probes.scoring.InnerScores.best", lambda self: (0, rising()))
    steps = iter(range(100))

    def rising():
        return next(steps)

    (found,) = tuning(family, network, inputs).fit(layer, target, plan)
    assert found.scores.shape == (len(plan.rows(0)), 2)
    above = {
        name
        for name in changed(before, seen)
        if (number := next((int(p) for p in name.split(".") if p.isdigit()), None)) is not None
        and number >= layer
    }
    assert changed(before, seen) == above
    assert len({name.split(".layers.")[1].split(".")[0] for name in above}) == tiny.DEPTH - layer
    assert not changed(before, network.state_dict())
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())
    assert not network.training


def test_with_all_layers_frozen_it_is_a_linear_head_on_the_dump(model, tmp_path):
    family, network, inputs = model
    target, plan = a_target(np.linspace(-1, 1, 20), "numbers")
    dump(family, network, inputs, tmp_path / "a.h5", DumpSettings(), "cpu", 3)
    x = DumpedLayers(tmp_path / "a.h5")[tiny.DEPTH]
    train, stop = inner_rows(plan, plan.outer[0], 0)
    x = torch.from_numpy((x - x[train].mean(0)) / x[train].std(0))
    head = torch.nn.Linear(x.shape[1], 1)
    rng = seeded(0, "finetune", "t", "grouped", 0, tiny.DEPTH)
    initialise(head, rng)
    fits = tuning(family, network, inputs)
    lengths = inputs.lengths

    def batches(places):  # of equal length where the family needs that, in the order drawn
        if family.padded:
            parts = [places[i : i + 16] for i in range(0, len(places), 16)]
        else:
            parts = [places[lengths[places] == one] for one in np.unique(lengths[places])]
            parts = sorted(parts, key=lambda part: places.tolist().index(part[0]))
        yield from ((part, x[part]) for part in parts)

    optimiser = torch.optim.AdamW(head.parameters(), lr=QUICK.head_rate)
    train_network(head, optimiser, target, train, stop, batches, QUICK, rng)
    expected = predict(head, plan.rows(0), batches)
    (found,) = fits.fit(tiny.DEPTH, target, plan)
    assert np.allclose(found.scores, expected, atol=1e-4)
    assert np.ptp(found.scores) > 0.01


def test_equal_seeds_give_equal_predictions_whatever_was_trained_before(model):
    family, network, inputs = model
    target, plan = a_target(np.arange(20) % 2)
    (first,) = tuning(family, network, inputs).fit(1, target, plan)
    again = tuning(family, network, inputs)
    again.fit(0, target, plan)
    assert np.array_equal(again.fit(1, target, plan)[0].scores, first.scores)
    (other,) = tuning(family, network, inputs, seed=1).fit(1, target, plan)
    assert not np.allclose(other.scores, first.scores)


def test_clips_of_a_batch_have_one_length_where_padding_changes_them(model):
    family, network, inputs = model
    fits = tuning(family, network, inputs, replace(QUICK, batch=4))
    places = np.random.default_rng(1).permutation(18)
    rows = np.arange(20)[::-1][:18].copy()
    parts = list(fits._parts(places, rows))
    assert sorted(np.concatenate(parts)) == sorted(places)
    assert all(len(part) <= 4 for part in parts)
    if family.padded:
        assert np.array_equal(np.concatenate(parts), places)
    else:
        assert all(np.ptp(inputs.lengths[rows[part]]) == 0 for part in parts)
        assert len(parts) >= 5


def test_predictions_are_in_the_order_of_the_places():
    def batches(places):
        for part in (places[2:], places[:2]):
            yield part, torch.from_numpy(part)[:, None]

    places = np.array([1, 4, 6, 9])
    assert np.array_equal(predict(torch.nn.Identity(), places, batches)[:, 0], places)


def test_tags_and_numbers_are_learned_too(model):
    family, network, inputs = model
    for kind, values, width in (("tags", np.arange(60).reshape(20, 3) % 7 < 3, 3),
                                ("numbers", np.linspace(0, 1, 20), 1)):  # fmt: skip
        target, plan = a_target(values, kind, folds=2)
        found = tuning(family, network, inputs).fit(2, target, plan)
        assert [one.scores.shape for one in found] == [(4, width)] * 2


def test_batch_norms_estimated_anew_can_be_trained_behind(tmp_path):
    """What a network keeps from an estimate without gradients may not stop one with them."""
    folder = tiny.muq(tmp_path / "muq")
    family = open_family("muq", folder)
    rng = np.random.default_rng(0)
    sounds = [family.encode(rng.standard_normal(12000).astype(np.float32), "cpu") for _ in "0" * 10]
    path = tmp_path / "clips.h5"
    write_inputs(path, sounds, pd.DataFrame({"clip": [f"c{i}" for i in range(10)]}))
    recipe = Recipe("muq", str(folder), "linear-0.500", initial=Initialisation("official", 0),
                    statistics=str(path))  # fmt: skip
    network = network_at_point(family, recipe, "cpu")
    target, plan = a_target(np.arange(10) % 2)
    (found,) = tuning(family, network, Inputs(path)).fit(1, target, plan)
    assert np.isfinite(found.scores).all()


@pytest.fixture(scope="module")
def agreeing(tmp_path_factory):
    """Clips of tokens in two codebooks, that are both even or odd in every frame, or never.

    The even and odd ones are drawn, so that no codebook alone tells: an exclusive or.
    """
    rng = np.random.default_rng(0)
    agree = rng.permutation(np.arange(200) % 2)
    encoded = []
    for one in agree:
        odd = rng.integers(0, 2, 3)
        codes = np.full((3, tiny.BOOKS), tiny.CARD - 1)
        codes[:, 0] = odd + 2 * rng.integers(0, 3, 3)
        codes[:, 1] = (odd if one else 1 - odd) + 2 * rng.integers(0, 3, 3)
        encoded.append({"codes": codes.astype(np.int16)})
    clips = pd.DataFrame({"clip": [f"c{i}" for i in range(len(agree))], "agree": agree})
    path = tmp_path_factory.mktemp("agreeing") / "inputs.h5"
    write_inputs(path, encoded, clips)
    return Inputs(path)


def test_trained_blocks_read_what_frozen_features_do_not_show(folder, agreeing, tmp_path):
    recipe = Recipe("musicgen", str(folder), options={"delay": False})
    family, network = load_at_point(recipe, "cpu")
    for block in network.model.decoder.layers:  # features are nearly sums of embeddings
        block.fc2.weight.mul_(0.01)
        block.self_attn.out_proj.weight.mul_(0.01)
    dump(family, network, agreeing, tmp_path / "a.h5", DumpSettings(), "cpu", 64)
    settings = FreezingSettings([2, -1], epochs=40, patience=12, rate=3e-3, head_rate=1e-2)
    fits = tuning(family, network, agreeing, settings)
    labels = {"agree": Task("classes", agreeing.clips["agree"].to_numpy(), ("accuracy",))}
    groups = agreeing.clips["clip"].to_numpy()
    rows = frozen_rows(
        fits.fit, fits.layers, DumpedLayers(tmp_path / "a.h5"), labels, groups, PROBES, 1, 0
    )
    assert set(rows["n"]) == {40}  # one of five test folds
    found = rows.set_index(["features", "layer", "row"])["value"]
    assert found["frozen", 2, "probe"] > 0.9
    assert found["frozen", tiny.DEPTH, "probe"] < 0.7
    assert rows.loc[rows["row"] == "reference", "value"].max() < 0.7
    gained = rows[(rows["row"] == "difference") & (rows["layer"] == 2)]
    assert set(gained["against"]) == {"selected", "last"}
    assert (gained["low"] > 0.1).all()
    assert not rows.loc[rows["layer"] == tiny.DEPTH].query("row == 'difference' and low > 0").size
    table = rows.assign(model="m", route="linear", point="trained", position=1.0)
    draw_freezing(table, "m", tmp_path / "freezing.svg")
    drawn = (tmp_path / "freezing.svg").read_text()
    assert "layers up to k frozen" in drawn
    assert "agree" in drawn


def perfect(layer, target, plan):
    """Predictions without any network: the truth below layer 2, its opposite from there on."""
    sign = 1 if layer < 2 else -1
    return [Prediction(sign * target.labels(plan.rows(o.test)), np.nan, 1.0) for o in plan.outer]


def test_ridge_beside_it_is_that_of_the_probes_on_the_same_folds(rng):
    groups = np.repeat(np.arange(30), 4)
    labels = np.arange(120) % 3
    layers = {
        layer: rng.standard_normal((120, 8)).astype(np.float32) + np.eye(8)[labels] * layer
        for layer in range(3)
    }
    tasks = {"t": Task("classes", labels)}
    wanted = probe(layers, tasks, groups, settings=PROBES)
    everything = ProbeSettings(bootstrap=100)  # a random split and permuted labels are left out
    rows = frozen_rows(perfect, [0, 2], layers, tasks, groups, everything, folds=5, seed=0)
    assert set(rows["split"]) == {"grouped"}
    assert set(rows["row"]) == {"probe", "reference", "difference"}
    for features in ("selected", "last"):
        ours = rows[(rows["row"] == "reference") & (rows["features"] == features)]
        keep = (wanted["row"] == "probe") & (wanted["features"] == features)
        columns = ["layer", "metric", "value", "low", "high", "chance", "n", "groups", "lambda"]
        pd.testing.assert_frame_equal(
            ours[columns].reset_index(drop=True), wanted.loc[keep, columns].reset_index(drop=True)
        )
    by = rows.set_index(["features", "layer", "row", "metric", "against"])["value"].sort_index()
    last = by["last", 2, "reference", "accuracy"].iloc[0]
    assert by["frozen", 0, "probe", "accuracy"].iloc[0] == 1
    assert by["frozen", 0, "difference", "accuracy", "last"] == pytest.approx(1 - last)
    assert by["frozen", 2, "difference", "accuracy", "last"] == pytest.approx(-last)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": []}, "probes.freezing.layers: none; give one or more"),
        ({"epochs": 0}, "probes.freezing.epochs: 0; give 1 or more"),
        ({"rate": 0.0}, "probes.freezing.rate: 0.0; give a number above 0"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(RasenError, match=message):
        replace(QUICK, **change)


def test_layers_that_do_not_exist_are_named(family, at, codes):
    with pytest.raises(RasenError, match=r"probes.freezing.layers: \[4\] do not exist; .* 0 to 3"):
        tuning(family, at("trained"), codes, replace(QUICK, layers=[0, 4]))
