"""Figures of probes show every task, baseline and point, and none of the split that leaks."""

import numpy as np
import pandas as pd
import pytest
from planted_concepts import classes, groups, linear_layers, noise

from rasen.figures.probes import draw_choice, draw_concepts, draw_profiles
from rasen.figures.similarity import draw_similarity
from rasen.probes import ProbeSettings, probe, similarity

SETTINGS = ProbeSettings(bootstrap=50, epochs=3)
RUNS = (("linear", 0.0), ("linear", 1.0), ("step", 64), ("step", 500), ("linear+seed1", 1.0))


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y, number = classes(rng), rng.standard_normal(600)
    tables = []
    for route, position in RUNS:
        layers = linear_layers(rng, y, layers=3, at=1, strength=3 * bool(position))
        found = probe(
            layers, {"pitch_class": y, "tempo": number}, groups(), settings=SETTINGS,
            baselines={"log-mel": noise(rng), "codec tokens": noise(rng, dim=9)},
        )  # fmt: skip
        tables.append(found.assign(route=route, position=position))
    return pd.concat(tables, ignore_index=True)


def at_the_end(table):
    return table[(table["route"] == "linear") & (table["position"] == 1)]


def test_profiles_show_tasks_baselines_and_nulls(table, tmp_path):
    draw_profiles(at_the_end(table), "nano", tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    words = ("pitch class", "(accuracy)", "tempo", "log-mel", "codec tokens", "chance",
             "permuted labels", "chosen on inner folds", "Whole groups are left out")  # fmt: skip
    for word in words:
        assert word in text, word


def test_the_split_that_leaks_changes_no_figure(table, tmp_path):
    whole = at_the_end(table)
    for draw in (draw_profiles, draw_choice):
        draw(whole, "nano", tmp_path / "a.svg")
        draw(whole[whole["split"] != "random"], "nano", tmp_path / "b.svg")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_choice_of_a_layer_is_drawn_with_and_without_a_mix(table, tmp_path):
    whole = at_the_end(table)
    draw_choice(whole, "nano", tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert "learned mix of layers" in text
    assert "minus the last layer" in text
    draw_choice(whole[whole["kind"].ne("mix") & whole["features"].ne("mix")
                      & whole["against"].ne("mix")], "nano", tmp_path / "figure.svg")  # fmt: skip
    assert "learned mix" not in (tmp_path / "figure.svg").read_text()


def test_concepts_are_drawn_along_every_route(table, tmp_path):
    draw_concepts(table, "nano", tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    routes = ("straight line", "real training run", "training step")
    for word in (*routes, "500", "pitch class", "tempo"):
        assert word in text, word
    assert "seed1" not in text  # one point is no route


@pytest.mark.parametrize("measure", ["cka", "pwcca"])
def test_maps_of_similarity_show_points_and_models(measure, tmp_path, rng):
    layers = {layer: rng.standard_normal((80, 6)) for layer in range(3)}
    found = similarity(layers, [measure]).rename(columns={"a": "layer", "b": "layer_2"})
    one = found.assign(point="trained", model_2="nano", point_2="trained")
    two = found.assign(point="trained", model_2="other", point_2="untrained")
    draw_similarity(pd.concat([one, two]), "nano", tmp_path / "figure.svg", measure)
    text = (tmp_path / "figure.svg").read_text()
    assert "trained and other, untrained" in text
    assert {"cka": "debiased linear CKA", "pwcca": "PWCCA"}[measure] in text
    draw_similarity(found.iloc[:0].assign(point="", model_2="", point_2=""), "nano",
                    tmp_path / "none.svg", measure)  # fmt: skip
    assert (tmp_path / "none.svg").exists()
