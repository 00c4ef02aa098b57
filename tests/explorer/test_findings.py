"""What was found, in sentences: they follow the tables, and lead to the view that shows it."""

import made
import pandas as pd
import pytest
from made import written
from test_views import looked_at

from rasen.explorer.findings import findings, layer_words


def told(tmp_path, **tables):
    """{title: [(lead, text)]} of these tables."""
    paths = {name: tmp_path / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        table.to_parquet(paths[name])
    return {
        one["title"]: [(line["lead"], line["text"]) for line in one["lines"]]
        for one in findings(paths)
    }


def fits(verdicts, route="step", model="nano", features="network"):
    """Rows of tables/helix.parquet; verdicts: {point: [of each layer]}."""
    return pd.DataFrame(
        {
            "model": model, "stimuli": "notes", "route": route, "point": point,
            "position": float(point.partition("-")[2] or 0), "features": features,
            "layer": layer if features == "network" else -1, "verdict": verdict,
            "pooled": 0.5 + layer,
        }
        for point, of_layers in verdicts.items()
        for layer, verdict in enumerate(of_layers)
    )  # fmt: skip


NO = "smooth path"
RUN = {
    "untrained": [NO] * 4,
    "step-000064": [NO, "octave", NO, "octave"],
    "trained": ["octave"] * 4,
}


def test_where_an_octave_is_first_found(tmp_path):
    table = pd.concat(
        [
            fits(RUN),
            fits({"untrained": [NO], "linear-0.250": ["octave"], "trained": [NO]}, "linear"),
            fits({"untrained": [NO], "trained": [NO]}, "linear+seed1"),
            fits({"untrained": ["cannot tell"], "trained": ["cannot tell"]}, "gradient"),
            fits({"melspectrum": ["octave"]}, "baseline", features="log-mel"),
            fits({"codec": [NO]}, "baseline", features="codec tokens"),
        ]
    )
    assert told(tmp_path, helix=table)["Helix"] == [
        (
            "step",
            "notes first have an octave at step 64, in layers 1 and 3; at the end in 4 of 4 layers",
        ),
        (
            "linear",
            "notes first have an octave at \u03b1 = 0.25, in layer 0; at the end in 0 of 1 layers",
        ),
        ("linear+seed1", "no octave in any layer at any point"),
        ("gradient", "too few keys to tell an octave"),
        ("without a network", "an octave in log-mel; none in codec tokens"),
    ]


def test_several_models_are_named(tmp_path):
    table = pd.concat([fits(RUN), fits(RUN, model="large")])
    leads = [lead for lead, _ in told(tmp_path, helix=table)["Helix"]]
    assert leads == ["nano, step", "large, step"]


def test_probes_are_told_by_the_layer_that_inner_folds_chose(tmp_path):
    row = {
        "model": "nano", "route": "linear", "task": "key", "kind": "ridge", "split": "grouped",
        "row": "probe", "metric": "accuracy", "chance": 1 / 12, "low": 0.2, "high": 0.5,
        "position": 1.0,
    }  # fmt: skip
    best = row | {"point": "trained", "features": "network", "value": 0.9}
    chosen = row | {"point": "trained", "features": "selected", "value": 0.34}
    first = chosen | {"point": "untrained", "value": 0.0625, "low": None}
    mel = row | {"point": "trained", "features": "log-mel", "value": 0.906}
    easy = chosen | {"split": "random", "value": 1.0}
    table = pd.DataFrame([easy, first, best, chosen, mel])
    assert told(tmp_path, probes=table)["Probes"] == [
        (
            "key",
            "accuracy 0.34 (0.2 to 0.5) at trained, 0.0625 at untrained; "
            "chance 0.0833, log-mel 0.906",
        )
    ]


def test_features_are_counted_where_their_label_held(tmp_path):
    table = pd.DataFrame(
        {
            "model": "nano", "layer": 4, "point": ["untrained"] * 2 + ["trained"] * 1200,
            "confirmed": [True, None] + [True] * 1100 + [False] * 100,
        }
    )  # fmt: skip
    assert told(tmp_path, features=table)["SAE features"] == [
        (
            "layer 4",
            "features with a label that held on other clips: 1 of 2 at untrained and "
            "1,100 of 1,200 at trained",
        )
    ]


def test_features_of_clips_without_labels_have_no_line(tmp_path):
    assert told(tmp_path, features=pd.DataFrame({"model": ["nano"], "point": "trained"})) == {}


@pytest.mark.parametrize(
    ("layers", "words"),
    [([3], "layer 3"), ([2, 1], "layers 1 and 2"), ([0, 1, 2, 5], "layers 0 to 2 and 5")],
)
def test_layers_in_words(layers, words):
    assert layer_words(layers) == words


def test_a_line_leads_to_its_view(page, tmp_path):
    tables = made.study_tables()
    tables["helix"].loc[tables["helix"]["point"] == "linear-0.500", "verdict"] = "octave"
    looked_at(page, written(tmp_path, tables), "overview")
    lines = page.run("[...document.querySelectorAll('.findings li')].map(n => n.textContent)")
    assert any(line.startswith("linear: notes first have an octave at") for line in lines)
    page.run("document.querySelector('.findings a').click()")
    page.settle()
    assert page.run("document.querySelector('h2').textContent") == "Helix"
    assert "view=helix" in page.run("location.hash")


def test_nothing_measured_is_nothing_found(page, empty):
    looked_at(page, empty, "overview")
    assert page.run("document.querySelector('.findings')") is None
