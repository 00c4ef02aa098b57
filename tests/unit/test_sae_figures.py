"""Figures of SAEs: what is written in them, and that equal data give equal bytes."""

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
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("draw", "table", "words"),
    [
        (figures.draw_route, route, ["Japanese", "both", "English", "token", "unrelated"]),
        (figures.draw_grid, grid, [".400", ".125", "30 %", "n / d"]),
        (figures.draw_dead, normalisations, ["scalar", "held-out rows", "without huge rows"]),
        (figures.draw_labels, names, ["pitch class", "unlabelled", "not confirmed", "untrained"]),
        (figures.draw_flow, flows, ["35", "85", "93", "116", "step-000010", "trained"]),
    ],
)  # fmt: skip
def test_figures_say_what_is_in_the_table(draw, table, words, tmp_path):
    draw(table(), tmp_path / "a.svg")
    draw(table(), tmp_path / "b.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert svg == (tmp_path / "b.svg").read_text()
    assert all(f">{word}<" in svg for word in words)


def test_classes_that_do_not_occur_are_not_in_the_legend(tmp_path):
    figures.draw_route(route(), tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert ">neither<" not in svg
    assert ">synonym<" not in svg
