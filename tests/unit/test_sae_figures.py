"""Figures of SAEs: what is written in them, and that equal data give equal bytes."""

import re

import numpy as np
import pandas as pd
import pytest

from rasen.figures import sae as figures


def route():
    rows = [
        ("untrained", 0, "mixed", "unrelated"), ("untrained", 0, "ja", "token"),
        ("trained", 400, "ja", "token"), ("trained", 400, "en", "too few"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["point", "position", "language", "granularity"])


def grid():
    cells = [(e, k) for e in (4, 8) for k in (16, 32)]
    table = pd.DataFrame(cells, columns=["expansion", "k"])
    return table.assign(fvu_normal=[0.4, 0.31, 0.3, 0.125], dead=[0, 0.1, 0.2, 0.3], best=True)


def normalisations():
    names = ["none", "scalar"] * 2
    table = pd.DataFrame({"normalise": names, "position": [0, 0, 1, 1], "best": True})
    table["point"] = np.where(table["position"] == 0, "untrained", "trained")
    numbers = {"dead": 0.2, "dead_in_training": 0.3, "fvu": 0.1, "fvu_normal": 0.4}
    return table.assign(**numbers)


def names():
    table = pd.DataFrame({"point": ["untrained", "trained"] * 20, "layer": [1, 1, 2, 2] * 10})
    table["position"] = (table["point"] == "trained").astype(float)
    table["label"] = np.where(table.index % 3 == 0, "pitch class C", "unlabelled")
    table["column"] = np.where(table.index % 3 == 0, "pitch_class", "")
    return table.assign(confirmed=table.index % 2 == 0, p=0.01)


def flows():
    rows = [
        ("untrained", "step-000010", 128, 120, 35, 85, 93),
        ("step-000010", "trained", 120, 60, 4, 56, 116),
    ]
    columns = ["point", "following", "before", "after", "matched", "births", "deaths"]
    return pd.DataFrame(rows, columns=columns).assign(matched_low=[30, 4], matched_high=[35, 9])


def seeds(share=0.25):
    return pd.DataFrame({"point": ["untrained", "step-000010", "trained"], "share": share})


def draw_flow(table, what, path):
    figures.draw_flow(table, seeds(), what, path)


@pytest.mark.parametrize(
    ("draw", "table", "words"),
    [
        (figures.draw_route, route, ["Japanese", "both", "English", "token", "unrelated"]),
        (figures.draw_grid, grid, [".400", ".125", "30 %", "in a frame (K)",
                                   "features per dimension of the layer (n / d)"]),
        (figures.draw_dead, normalisations, ["scalar", "none", "untrained", "trained",
                                            "in test frames", "without outliers"]),
        (figures.draw_labels, names, ["pitch class", "not confirmed", "untrained"]),
        (figures.draw_label_counts, names, ["pitch class", "7 (7)", "trained", "7 of 20"]),
        (draw_flow, flows, ["35", "85", "93", "116", "step 10", "trained", "only before: died",
                            "matched between two seeds at one point", "matched, of all seeds"]),
    ],
)  # fmt: skip
def test_figures_say_what_is_in_the_table(draw, table, words, tmp_path):
    draw(table(), "nano, layer 4", tmp_path / "a.svg")
    draw(table(), "nano, layer 4", tmp_path / "b.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert svg == (tmp_path / "b.svg").read_text()
    assert all(f">{word}<" in svg for word in words)
    assert ">nano, layer 4: " in svg, "every picture names its model"
    assert re.search(r">[A-Z][^<]{30,}\.<", svg), "and says what its marks mean"


def test_labels_are_sorted_by_how_many_features_they_name(tmp_path):
    table = names()
    table.loc[table["column"] != "", "column"] = ["octave"] + 13 * ["pitch"]
    figures.draw_label_counts(table, "nano", tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert svg.index(">octave<") < svg.index(">pitch<"), "the axis begins at the bottom"


def test_a_flow_of_one_seed_has_no_band(tmp_path):
    figures.draw_flow(flows().drop(columns=["matched_low", "matched_high"]), seeds().head(0),
                      "nano", tmp_path / "a.svg")  # fmt: skip
    assert "seeds" not in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("column", ["fvu_normal", "dead"])
def test_a_grid_of_layers_that_are_constant_can_be_drawn(column, tmp_path):
    figures.draw_grid(grid().assign(**{column: np.nan}), "nano", tmp_path / "a.svg")
    assert (tmp_path / "a.svg").exists()


def test_classes_that_do_not_occur_are_not_in_the_legend(tmp_path):
    figures.draw_route(route(), "llm", tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert ">neither<" not in svg
    assert ">synonym<" not in svg
