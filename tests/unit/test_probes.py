"""Probes find what is planted, where it is planted, and nothing where there is nothing."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from planted_concepts import classes, groups, linear_layers, noise, rows_of, value_of

from rasen.errors import RasenError
from rasen.probes import ProbeSettings, Task, probe
from rasen.probes.folds import grouped_folds, nested
from rasen.probes.gram import Features, FoldGrams
from rasen.probes.permute import permuted
from rasen.probes.table import COLUMNS

QUICK = ProbeSettings(random=False, mix=False, permutations=0, bootstrap=200)
MLP = ProbeSettings(
    kind="mlp", random=False, mix=False, permutations=0, bootstrap=200, hidden=64, rate=3e-3
)


def test_a_linear_concept_is_found_at_its_layer_and_nowhere_else(rng):
    y = classes(rng)
    number = rng.standard_normal(len(y))
    layers = linear_layers(rng, y)
    layers[1][:, 0] = number + 0.3 * noise(rng)[:, 0]
    table = probe(layers, {"class": y, "number": number}, groups(), settings=QUICK)
    assert list(table) == COLUMNS
    for layer in range(4):
        accuracy = value_of(table, features="network", layer=layer, metric="accuracy")
        r2 = value_of(table, features="network", layer=layer, metric="r2")
        assert (accuracy > 0.8) == (layer == 2)
        assert (r2 > 0.8) == (layer == 1)
        assert layer == 2 or accuracy < 0.32  # chance is .25
        assert layer == 1 or abs(r2) < 0.06
    for task, layer in (("class", 2), ("number", 1)):
        chosen = rows_of(table, features="network", row="probe", task=task)
        assert set(chosen.loc[chosen["layer"] == layer, "selected"]) == {1.0}
        assert set(chosen.loc[chosen["layer"] != layer, "selected"]) == {0.0}
        selected = rows_of(table, features="selected", row="probe", task=task)
        assert set(selected["layer"]) == {layer}
    gain = value_of(table, row="difference", against="last", metric="accuracy")
    low = value_of(table, "low", row="difference", against="last", metric="accuracy")
    here = value_of(table, features="selected", metric="accuracy")
    assert gain == pytest.approx(here - value_of(table, features="last", metric="accuracy"))
    assert low > 0.4


@pytest.mark.parametrize("kind", ["ridge", "logistic", "mlp"])
def test_only_the_mlp_reads_an_exclusive_or(kind, rng):
    x = noise(rng, 1600, 12)
    y = (x[:, 0] > 0) ^ (x[:, 1] > 0)
    settings = MLP if kind == "mlp" else QUICK
    table = probe({0: x}, {"xor": y}, groups(80, 20), kind=kind, settings=settings)
    accuracy = value_of(table, features="network", metric="accuracy")
    assert accuracy > 0.9 if kind == "mlp" else accuracy < 0.58


@pytest.mark.parametrize("kind", ["logistic", "mlp"])
def test_other_kinds_read_classes_and_tags(kind, rng):
    y = classes(rng)
    layers = linear_layers(rng, y, layers=2, at=1)
    tags = np.stack([y == 0, y > 1], axis=1)
    settings = MLP if kind == "mlp" else QUICK
    table = probe(layers, {"class": y, "tags": tags}, groups(), kind=kind, settings=settings)
    assert set(table["kind"]) == {kind}
    assert value_of(table, features="network", layer=1, metric="accuracy") > 0.75
    assert value_of(table, features="network", layer=0, metric="accuracy") < 0.33
    assert value_of(table, features="network", layer=1, metric="roc_auc") > 0.85
    assert abs(value_of(table, features="network", layer=0, metric="roc_auc") - 0.5) < 0.08


def test_an_mlp_repeats_to_the_last_bit(rng):
    y = classes(rng)
    layers = linear_layers(rng, y, layers=1, at=0, strength=1)
    first, again = (probe(layers, {"y": y}, groups(), settings=MLP, seed=3) for _ in range(2))
    assert first.equals(again)
    other = probe(layers, {"y": y}, groups(), settings=MLP, seed=4)
    assert not other.equals(first)


def test_a_random_split_leaks_and_a_grouped_one_does_not(rng):
    """Labels of songs are pure chance, but clips of one song are near copies."""
    song = groups()
    y = rng.integers(0, 4, 40)[song]
    x = noise(rng, 40, 24)[song] + 0.3 * noise(rng)
    settings = ProbeSettings(mix=False, permutations=5, bootstrap=200)
    table = probe({0: x}, {"y": y}, song, settings=settings)
    facts = {"features": "network", "metric": "accuracy"}
    leaky = value_of(table, split="random", **facts)
    grouped = value_of(table, **facts)
    assert leaky > 0.65
    assert grouped < 0.42
    # labels permuted between songs leak as much: the number says nothing about the labels
    assert value_of(table, row="permuted", split="random", **facts) > 0.6
    assert value_of(table, row="permuted", **facts) < 0.36


def test_permuted_labels_are_at_chance_where_true_ones_are_read(rng):
    y = classes(rng)
    tags = np.stack([y == 0, y > 1], axis=1)
    layers = linear_layers(rng, y, layers=1, at=0)
    settings = ProbeSettings(random=False, mix=False, permutations=10, bootstrap=200)
    number = y + 0.1 * rng.standard_normal(len(y))
    targets = {"class": y, "tags": tags, "number": number}
    table = probe(layers, targets, groups(), settings=settings)
    for metric, width in (("accuracy", 0.03), ("roc_auc", 0.03), ("r2", 0.03)):
        null = value_of(table, row="permuted", metric=metric)
        chance = value_of(table, "chance", row="permuted", metric=metric)
        assert abs(null - chance) < width, metric
        assert value_of(table, features="network", metric=metric) > chance + 0.3


def test_permutations_keep_what_groups_and_songs_share(rng):
    group = groups(20, 6)
    constant = rng.integers(0, 3, 20)[group]
    moved = permuted("classes", constant, group, None, rng)
    assert all(len(set(moved[group == one])) == 1 for one in range(20))
    assert sorted(moved) == sorted(constant)
    assert (moved != constant).any()
    mixed = np.tile(np.arange(6), 20)  # every group has each label once
    moved = permuted("classes", mixed, group, None, rng)
    assert all(sorted(moved[group == one]) == list(range(6)) for one in range(20))
    song = np.arange(120) // 3
    of_song = rng.integers(0, 9, 40)[song]
    moved = permuted("classes", of_song, group, song, rng)
    assert all(len(set(moved[song == one])) == 1 for one in range(40))
    uneven = np.repeat([0, 1, 2], [2, 9, 4])
    assert set(permuted("classes", uneven, uneven, None, rng)) <= {0, 1, 2}


def test_choosing_the_best_of_many_random_layers_gains_nothing(rng):
    """The best layer in hindsight is above chance; the one chosen on inner folds is not."""
    found, best = [], []
    for _ in range(12):
        y = classes(rng, count=2)
        layers = {layer: noise(rng, dim=8) for layer in range(16)}
        table = probe(layers, {"y": y}, groups(), settings=QUICK)
        network = rows_of(table, features="network", metric="accuracy", row="probe")
        best.append(network["value"].max())
        found.append(value_of(table, features="selected", metric="accuracy"))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - 0.5) < 4 * error + 0.003
    assert np.mean(best) > 0.52


# --- the closed form


@pytest.mark.parametrize(("rows", "dim"), [(400, 30), (60, 150)])
def test_the_closed_form_is_ridge_on_standardised_training_rows(rows, dim, rng):
    """Wide and tall, with large means, a constant feature, and one constant in training alone."""
    x = rng.standard_normal((rows, dim)) * rng.uniform(0.01, 30, dim) + rng.uniform(-90, 90, dim)
    fold = np.arange(rows) % 5
    x[:, 3] = 7
    x[:, 4] = np.where(fold == 2, x[:, 4], 1)
    y = (x[:, :2] - x[:, :2].mean(0)) / x[:, :2].std(0) + rng.standard_normal((rows, 2))
    features = Features(x.astype(np.float32), np.arange(rows))
    labels = y.astype(np.float32)
    grams = FoldGrams(features, lambda places: labels[places], 2, nested("grouped", fold, 5))
    assert grams.wide == (dim > rows)
    train, test = (fold != 2) & (fold != 4), fold == 4
    model = grams.decompose(frozenset({2, 4}))
    lambdas = np.array([1e-3, 1, 100], dtype=np.float32)
    weights, intercepts = model.weights(slice(0, 2), lambdas)
    mean, std = x[train].mean(0), x[train].std(0)
    usable = std > 1e-9
    z = ((x - mean) / np.where(usable, std, 1))[:, usable]
    for k, strength in enumerate(lambdas):
        alpha = strength * train.sum()
        square = z[train].T @ z[train] + alpha * np.eye(usable.sum())
        level = y[train].mean(0)
        w = np.linalg.solve(square, z[train].T @ (y[train] - level))
        expected = z[test] @ w + level
        found = features.take(np.flatnonzero(test)) @ weights[:, k] + intercepts[k]
        assert np.abs(found - expected).max() < 2e-3 * np.abs(expected).max()


def test_folds_are_whole_groups_balanced_in_rows_and_labels(rng):
    sizes = rng.integers(1, 30, 60)
    group = np.repeat(np.arange(60), sizes)
    y = rng.integers(0, 3, 60)[group]
    fold = grouped_folds(group, [("classes", y)], 5, seed=0)
    assert all(len(set(fold[group == one])) == 1 for one in range(60))
    rows = np.bincount(fold)
    assert rows.min() > 0.85 * rows.max()
    for label in range(3):
        share = np.bincount(fold, y == label) / (y == label).sum()
        assert share.min() > 0.12
        assert share.max() < 0.28
    assert len(set(grouped_folds(np.arange(5), [], 5, 0))) == 5


# --- given splits, songs, frames, the mix


def test_a_given_split_is_followed(rng):
    """Test rows obey another rule than training rows: only a probe that kept to the split fails."""
    y = classes(rng)
    song = groups()
    x = linear_layers(rng, y, layers=1, at=0)[0]
    split = np.repeat(["train", "valid", "test"], [24 * 15, 8 * 15, 8 * 15])
    wrong = np.where(split == "test", (y + 1) % 4, y)
    for given in (split, np.where(split == "valid", "train", split)):
        table = probe({0: x}, {"y": y, "wrong": wrong}, song, settings=QUICK, split=given)
        assert set(table["split"]) == {"given"}
        right = rows_of(table, features="network", metric="accuracy", row="probe").set_index("task")
        assert right.loc["y", "value"] > 0.8
        assert right.loc["wrong", "value"] < 0.1
        assert set(right["n"]) == {8 * 15}
        assert set(right["groups"]) == {8}
    # lambda is chosen on the valid rows: there the concept is turned around
    turned = np.where((split == "valid")[:, None], -x, x)
    strengths = [
        value_of(probe({0: one}, {"y": y}, song, settings=QUICK, split=split), "lambda",
                 split="given", features="network", metric="accuracy")
        for one in (x, turned)
    ]  # fmt: skip
    assert strengths[1] > 10 * strengths[0]


def test_clips_of_a_song_are_averaged_before_they_are_scored(rng):
    song = groups()
    y = rng.integers(0, 4, 40)[song]
    layers = linear_layers(rng, y, layers=1, at=0, strength=1.0)
    table = probe(layers, {"y": y}, song, settings=QUICK)
    together = probe(layers, {"y": y}, song, settings=QUICK, songs=song)
    clips = value_of(table, features="network", metric="accuracy")
    songs = value_of(together, features="network", metric="accuracy")
    assert value_of(table, "n", features="network", metric="accuracy") == 600
    assert value_of(together, "n", features="network", metric="accuracy") == 40
    assert clips < 0.7
    assert songs > clips + 0.15


def test_a_task_may_cover_some_rows(rng):
    y = classes(rng)
    x = linear_layers(rng, y, layers=1, at=0)[0]
    rows = np.flatnonzero(groups() < 30)
    x[groups() >= 30] = 1e6  # what is not labelled must not matter
    one = probe({0: x}, {"y": Task("classes", y[rows], rows=rows)}, groups(), settings=QUICK)
    alone = probe({0: x[rows]}, {"y": y[rows]}, groups()[rows], settings=QUICK)
    assert one.equals(alone)


@pytest.mark.parametrize("kind", ["ridge", "logistic", "mlp"])
def test_beats_are_found_in_frames(kind, rng):
    clips, frames, rate = 30, 250, 25
    clip, time = np.repeat(np.arange(clips), frames), np.tile(np.arange(frames) / rate, clips)
    beat = np.zeros(len(clip), dtype=bool)
    for one in range(clips):
        step = int(rng.integers(9, 18))
        beat[one * frames + np.arange(int(rng.integers(step)), frames, step)] = True
    x = noise(rng, len(clip), 8)
    shown = x + 3 * beat[:, None] * rng.standard_normal(8).astype(np.float32)
    task = Task("frames", beat, metrics=("beat_f", "boundary_f_0.5"), clip=clip, time=time)
    settings = ProbeSettings(
        kind=kind, random=False, mix=False, bootstrap=200, epochs=5, lambdas=[1e-3, 0.1]
    )
    table = probe({0: x, 1: shown}, {"beats": task}, clip, settings=settings)
    facts = {"features": "network", "metric": "beat_f"}
    assert value_of(table, layer=1, **facts) > 0.85
    chance = value_of(table, "chance", layer=1, **facts)
    assert value_of(table, layer=0, **facts) < chance + 0.15
    assert value_of(table, layer=1, row="permuted", **facts) < chance + 0.15


def test_the_mix_finds_the_layers_that_help(rng):
    y = classes(rng)
    layers = linear_layers(rng, y, layers=4, at=2)
    settings = ProbeSettings(random=False, permutations=0, bootstrap=200, rate=1e-2)
    table = probe(layers, {"y": y}, groups(), settings=settings, baselines={"mel": noise(rng)})
    weights = rows_of(table, row="weight").set_index("layer")["value"]
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert weights[2] > 0.6
    mix = value_of(table, features="mix", metric="accuracy")
    assert mix > 0.75
    without = rows_of(table, row="without", metric="accuracy").set_index("layer")["value"]
    assert without[2] < -0.3
    assert without.drop(2).abs().max() < 0.05
    gain = value_of(table, row="difference", against="mel", features="mix", metric="accuracy")
    mel = value_of(table, features="mel", metric="accuracy")
    assert gain == pytest.approx(mix - mel)


def test_a_baseline_is_never_the_best_layer(rng):
    y = classes(rng)
    layers = linear_layers(rng, y, layers=3, at=2)
    table = probe(
        {layer: layers[layer] for layer in (0, 1)}, {"y": y}, groups(), settings=QUICK,
        baselines={"untrained": layers[2]},
    )  # fmt: skip
    assert value_of(table, features="untrained", metric="accuracy") > 0.8
    assert value_of(table, features="selected", metric="accuracy") < 0.35


def test_layers_are_read_one_at_a_time_and_let_go(rng):
    """A mapping that counts how many of its arrays are alive when it gives the next one."""
    y = classes(rng)
    stored = linear_layers(rng, y)

    class Layer(np.ndarray):
        alive = 0

        def __del__(self):
            if self.base is None or not isinstance(self.base, Layer):
                Layer.alive -= 1

    class Lazy(Mapping):
        most = 0

        def __getitem__(self, name):
            Lazy.most = max(Lazy.most, Layer.alive)
            Layer.alive += 1
            return stored[name].copy().view(Layer)

        def __iter__(self):
            return iter(stored)

        def __len__(self):
            return len(stored)

    settings = ProbeSettings(random=False, permutations=0, bootstrap=50, epochs=2)
    lazy = probe(Lazy(), {"y": y}, groups(), settings=settings)
    assert Lazy.most == 0
    assert lazy.equals(probe(stored, {"y": y}, groups(), settings=settings))


MEMORY = """
import resource, sys
import numpy as np
sys.path.insert(0, {scripts!r})
from rasen.probes.probing import probe
from rasen.probes.settings import ProbeSettings
rng = np.random.default_rng(0)
group = np.arange({rows}) // 50
y = rng.integers(0, 12, {rows})
x = np.zeros(({rows}, 256), dtype=np.float32)
for start in range(0, {rows}, 4096):
    x[start : start + 4096] = rng.standard_normal(x[start : start + 4096].shape, dtype=np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
probe({{0: x}}, {{"y": y}}, group, settings=ProbeSettings(mix=False))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux alone")
def test_a_probe_needs_little_memory_beside_its_layer():
    """200,000 rows of 256 numbers, .2 GB: less than half a gigabyte on top of the layer."""
    scripts = str(Path(__file__).parents[2] / "workflow/scripts")
    code = MEMORY.format(scripts=scripts, rows=200_000)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert float(found.stdout) < 0.5


# --- bad input


def test_all_that_is_wrong_is_told_at_once(rng):
    group = groups(10, 6)
    y = np.tile([0, 1, 2], 20)
    alone = np.where(group == 4, "odd", y.astype(str))
    number = rng.standard_normal(60)
    number[7] = np.nan
    split = np.tile(["train", "train", "test"], 20)
    tags = np.stack([y == 0, np.zeros(60, bool)], axis=1)
    x = noise(rng, 60, 4)
    x[3, 1] = np.inf
    targets = {
        "one": np.zeros(60, int),
        "alone": alone,
        "number": number,
        "short": y[:50],
        "leaky": Task("classes", y, split=split),
        "tags": tags,
        "metric": Task("classes", y, metrics=("acuracy",)),
        "kind": Task("klasses", y),
        "songs": Task("classes", y, songs=np.arange(60) // 3),
        "key": Task("classes", y, metrics=("key_score",)),
    }
    with pytest.raises(RasenError) as error:
        probe({1: x, 2: noise(rng, 59, 4)}, targets, group, settings=QUICK)
    text = str(error.value)
    for told in (
        "layer 1: has features that are not finite",
        "layer 2: has 59 rows",
        "task one: one class only (0)",
        "class 'odd' is in one group only ('4')",
        "task number: 1 labels are missing",
        "task short: 50 values for 60 rows",
        "10 groups leak, as group '0' is in test and train",
        "tag '1' is false in every row",
        "metric 'acuracy'; did you mean 'accuracy'?",
        "kind 'klasses'; did you mean 'classes'?",
        "20 songs have clips with two labels",
        "'0' is not a key",
    ):
        assert told in text


def test_fewer_groups_than_folds_are_refused(rng):
    y = classes(rng)
    with pytest.raises(RasenError, match="4 groups for 5 folds"):
        probe({0: noise(rng)}, {"y": y}, groups() % 4, settings=QUICK)
    with pytest.raises(RasenError, match="use ridge or mlp"):
        probe({0: noise(rng)}, {"y": y * 1.5}, groups(), kind="logistic", settings=QUICK)
    with pytest.raises(RasenError, match=r"probes\.folds: 2"):
        ProbeSettings(folds=2)
    with pytest.raises(RasenError, match="call it something else"):
        probe({0: noise(rng)}, {"y": y}, groups(), settings=QUICK, baselines={"mix": noise(rng)})


def test_features_of_a_lazy_layer_that_are_not_finite_are_named(rng):
    class Lazy(Mapping):
        def __getitem__(self, name):
            x = noise(rng)
            x[5, 7] = np.nan
            return x

        def __iter__(self):
            return iter([11])

        def __len__(self):
            return 1

    with pytest.raises(RasenError, match="layer 11: 1 of 24 features"):
        probe(Lazy(), {"y": classes(rng)}, groups(), settings=QUICK)


def test_features_that_are_constant_are_at_chance():
    """A codec that gives one token for every sound, as tiny random ones do."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 20)
    rows = probe(
        {0: rng.normal(size=(60, 5))}, {"t": labels}, np.tile(np.arange(6), 10),
        baselines={"constant": np.ones((60, 4), np.float32)},
        settings=ProbeSettings(folds=3, bootstrap=20, random=False),
    )  # fmt: skip
    constant = rows[(rows["features"] == "constant") & (rows["row"] == "probe")]
    assert (constant["value"] <= constant["chance"] + 0.1).all()
