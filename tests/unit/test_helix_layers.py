"""Notes and the tables of their helix: order of keys, rows, verdicts, pictures."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rasen.errors import RasenError
from rasen.figures import helix as figures
from rasen.figures.helix_curves import curve_at, draw_curves
from rasen.helix import differences, judge, layers, summary
from rasen.helix.aligned import align_tables
from rasen.helix.settings import HelixSettings
from rasen.io import hdf5
from rasen.measure import notes as measured

SETTINGS = HelixSettings(
    method="exact",
    components=3,
    standardise=True,
    period=[4, 12],
    radius="cone",
    bootstrap=100,
    draws=2000,
    null_draws=199,
)
NAMES = ["a", "b", "c"]
KEYS = 36


def sheet(instruments=("a", "b"), keys=range(48, 60)):
    return pd.DataFrame([{"instrument": i, "pitch": p} for i in instruments for p in keys])


def octaves(rng, noise=0.3):
    """Features [instrument, key, dim] in which notes an octave apart are alike."""
    classes = rng.standard_normal((12, 8))
    height = np.linspace(-1, 1, KEYS)[:, None] * rng.standard_normal(20)
    notes = np.pad(classes[np.arange(KEYS) % 12], [(0, 0), (0, 12)]) + height
    return notes + noise * rng.standard_normal((len(NAMES), KEYS, 20))


def smooth(rng):
    """Features on a smooth path that never comes back."""
    lag = np.subtract.outer(np.arange(KEYS), np.arange(KEYS))
    root = np.linalg.cholesky(np.exp(-((lag / 6) ** 2) / 2) + 1e-6 * np.eye(KEYS))
    return root @ rng.standard_normal((KEYS, 20)) + 0.05 * rng.standard_normal((3, KEYS, 20))


def noise(rng):
    return rng.standard_normal((3, KEYS, 20))


def rows_of(notes, settings=SETTINGS, *names):
    rows, _ = layers.fit_layers(notes, NAMES, settings, 0, *names)
    return rows.rename(columns={"label": "layer"}).assign(features="network")


def table_of(notes, settings=SETTINGS):
    table = summary.add_verdicts(summary.summarise_layers(rows_of(notes, settings)))
    return summary.add_random_baselines(table, settings, 0)


def test_keys_are_put_in_order():
    clips = sheet().sample(frac=1, random_state=1).reset_index(drop=True)
    grid = measured.note_grid(clips)
    assert grid.pitches.tolist() == list(range(48, 60))
    for rows, name in zip(grid.rows, grid.instruments, strict=True):
        assert (clips["pitch"][rows] == grid.pitches).all()
        assert set(clips["instrument"][rows]) == {name}


@pytest.mark.parametrize(
    ("clips", "reason"),
    [
        (sheet().drop(index=3), "instrument a: pitch 51 is missing"),
        (pd.concat([sheet(), sheet(["b"], [50])], ignore_index=True), "pitch 50 occurs 2 times"),
        (sheet(keys=range(48, 55)), "7 keys; a helix needs 8 or more"),
        (sheet().drop(columns="instrument"), "no column instrument; `helix` needs"),
    ],
)
def test_sets_that_are_no_keyboard_are_refused(clips, reason):
    with pytest.raises(RasenError, match=reason):
        measured.note_grid(clips.reset_index(drop=True))


def test_verdicts_in_words(rng):
    nothing = {layer: noise(rng) for layer in range(2, 8)}
    table = table_of({0: octaves(rng), 1: smooth(rng)} | nothing).set_index("layer")
    words = table["verdict"].tolist()
    assert words[:2] == ["octave", "smooth path"]
    assert set(words[2:]) <= {"no structure", "smooth path"}
    assert words[2:].count("no structure") >= 5  # one false discovery is what the level allows
    assert table.loc[0, "octave_share"] == 1
    assert (table["low"] <= table["helicality"]).all()
    assert (table["helicality"] <= table["high"]).all()
    assert (table["random_mean"] < table["random_95"]).all()
    assert table.loc[2:, "helicality"].mean() == pytest.approx(
        table.loc[2, "random_mean"], abs=0.02
    )
    # the trap: a path without an octave reaches a higher Helicality than chance by far
    assert table.loc[1, "helicality"] > table.loc[1, "random_95"]


def test_four_octaves_among_49_layers_are_found(rng):
    """With the smallest p at 1/200, no fewer than five layers could ever have passed."""
    notes = {layer: (octaves if layer in (11, 20, 33, 48) else smooth)(rng) for layer in range(49)}
    table = table_of(notes, replace(SETTINGS, null_draws=19)).set_index("layer")
    assert table.index[table["verdict"] == "octave"].tolist() == [11, 20, 33, 48]
    assert (table["folding"] > 0.3).sum() >= 4
    assert table["octave_p"].min() == pytest.approx(1 / 2001)


def test_draws_that_cannot_show_an_octave_are_refused(rng):
    rows = rows_of({layer: noise(rng) for layer in range(12)}, replace(SETTINGS, draws=199))
    with pytest.raises(
        RasenError, match=r"helix.draws: 199 cannot show.*12 points and layers.*239"
    ):
        summary.add_verdicts(summary.summarise_layers(rows))


def test_every_layer_and_point_has_random_numbers_of_its_own(rng):
    """With one seed for all, a lucky draw at one layer is one at the next: no replication."""
    notes = smooth(rng)
    table = table_of({0: notes, 1: notes})
    for name in ("smooth_95", "smooth_p", "low"):
        assert table["pooled_low" if name == "low" else name].nunique() == 2, name
    first, second, again = (
        rows_of({0: notes}, SETTINGS, "model", point).query("instrument == 'pooled'")
        for point in ("untrained", "trained", "untrained")
    )
    assert first["smooth_95"].item() != second["smooth_95"].item()
    assert first["smooth_95"].item() == again["smooth_95"].item()


def test_p_values_are_corrected_over_all_rows_given(rng):
    """What a figure shows together is corrected together: all points and layers of a route."""
    one = summary.summarise_layers(rows_of({0: octaves(rng)}))
    many = pd.concat([one, *[one.assign(octave_p=0.5, order_p=0.5)] * 9], ignore_index=True)
    alone, together = summary.add_verdicts(one), summary.add_verdicts(many)
    assert together["octave_q"][0] == pytest.approx(10 * alone["octave_q"][0])
    assert together["verdict"].tolist() == ["octave"] + ["no structure"] * 9


def test_few_keys_cannot_tell(rng):
    table = table_of({0: octaves(rng)[:, :24], 1: smooth(rng)[:, :24], 2: noise(rng)[:, :24]})
    assert table["verdict"].tolist()[:2] == ["cannot tell", "cannot tell"]
    assert table["octave_p"].isna().all()


def test_loudness_is_controlled_for(rng):
    """Notes that differ by an octave in loudness alone, and a model that hears loudness."""
    loudness = np.tile(np.cos(2 * np.pi * np.arange(KEYS) / 12), (3, 1))
    notes = smooth(rng) + 3 * loudness[..., None] * rng.standard_normal(20)
    table = judge([notes], settings=SETTINGS)
    assert table["octave_p"].item() < 0.01
    assert table["loudness_p"].isna().all()
    controlled = judge([notes], settings=SETTINGS, loudness=loudness)
    assert controlled["loudness_p"].item() == controlled["octave_p"].item() > 0.05
    assert controlled["verdict"].item() != "octave"


def test_one_call_judges_a_model(rng):
    """The columns are those of the table that the stage writes."""
    notes = [octaves(rng), smooth(rng), noise(rng)]
    table = judge(notes, lowest=36, seed=0, settings=SETTINGS)
    assert table["layer"].tolist() == [0, 1, 2]
    assert table["lowest"].eq(36).all()
    assert table["verdict"].tolist()[:2] == ["octave", "smooth path"]
    pd.testing.assert_frame_equal(
        table.drop(columns="lowest"), table_of(dict(enumerate(notes))).drop(columns="lowest")
    )
    assert judge(np.stack(notes[:1])).shape[1] == table.shape[1]


def test_differences_are_paired_by_instrument(rng):
    """Timbres differ far more than points: only the pairs show that a point is higher."""
    timbres = rng.lognormal(0, 0.7, 8)
    table = []
    for point, shift in (("untrained", 0.0), ("linear-0.500", 0.02), ("trained", 0.3)):
        values = timbres + shift + 0.01 * rng.standard_normal((2, 8))
        table += [
            {"point": point, "layer": layer, "instrument": str(i), "helicality": values[layer, i]}
            for layer in range(2)
            for i in range(8)
        ]
        table.append({"point": point, "layer": 0, "instrument": "pooled", "helicality": 9.0})
    sound = [
        {"features": "log-mel", "instrument": str(i), "helicality": timbres[i] + 1}
        for i in range(8)
    ]
    points = pd.DataFrame(
        {
            "route": "linear",
            "point": ["untrained", "linear-0.500", "trained"],
            "position": [0.0, 0.5, 1.0],
        }
    )
    result = differences.paired_differences(pd.DataFrame(table), points, pd.DataFrame(sound))
    against = result.set_index(["point", "against", "layer"])
    trained = against.loc[("trained", "untrained", 0)]
    assert trained["difference"] == pytest.approx(0.3, abs=0.02)
    assert trained["low"] < 0.3 < trained["high"]
    assert trained["q"] < 1e-6
    assert against.loc[("trained", "previous point", 1), "difference"] == pytest.approx(
        0.28, abs=0.02
    )
    assert against.loc[("trained", "log-mel", 1), "difference"] == pytest.approx(-0.7, abs=0.02)
    assert ("untrained", "untrained", 0) not in against.index
    assert ("untrained", "previous point", 0) not in against.index
    assert result["instruments"].eq(8).all()


def test_layers_that_have_no_fit_do_not_stop_the_others(rng):
    alive, dead, constant = octaves(rng), noise(rng), np.ones((3, KEYS, 20))
    dead[1] = np.nan
    table = table_of({0: alive, 1: dead, 2: constant})
    assert table["verdict"].tolist() == ["octave", "no fit", "no fit"]
    assert table["helicality"][0] == pytest.approx(table_of({0: alive})["helicality"][0])


def test_eight_keys_are_enough(rng):
    few = {0: noise(rng)[:, :8]}
    rows, notes = layers.fit_layers(few, NAMES, SETTINGS, 0)
    assert rows["keys"].eq(8).all()
    assert np.isfinite(rows["helicality"]).all()
    assert rows["folding"].isna().all()  # two octaves are the least
    assert len(notes) == 8 * (len(NAMES) + 1)


@pytest.mark.parametrize(
    "change", [{"components": 5}, {"period": 12}, {"radius": "cylinder"}, {"standardise": False}]
)
def test_every_setting_runs(rng, change):
    table = table_of({0: octaves(rng)}, replace(SETTINGS, **change))
    assert table["verdict"].tolist() == ["octave"]
    assert table["random_mean"].isna().all() == ("standardise" in change)
    if change == {"period": 12}:
        np.testing.assert_allclose(table["helicality"], table["helicality_12"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": 2}, "helix.components: 2; give 3 or more"),
        ({"period": [12, 4]}, r"helix.period: \[12, 4\]; give keys per turn"),
        ({"period": [12]}, r"helix.period: \[12\]; give"),
        ({"period": 1.5}, "helix.period: 1.5; give"),
        ({"radius": "sphere"}, "'sphere' is not one of cone, positive, cylinder"),
        ({"method": "luck"}, "'luck' is not one of exact, trials"),
        ({"bootstrap": 0}, "helix.bootstrap: 0; give 1 or more"),
        ({"draws": 0}, "helix.draws: 0; give 1 or more"),
        ({"null_draws": 0}, "helix.null_draws: 0; give 1 or more"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(RasenError, match=message):
        replace(SETTINGS, **change)


def test_turning_the_features_changes_nothing(rng):
    """Fits see distances between keys alone, whether features are more or fewer than keys."""
    notes = octaves(rng)
    turn = np.linalg.qr(rng.standard_normal((50, 20)))[0].T
    narrow, wide = (
        layers.fit_layers({0: each}, NAMES, SETTINGS, 0)[0] for each in (notes, notes @ turn)
    )
    for name in ("helicality", "folding", "contrast", "low"):
        np.testing.assert_allclose(narrow[name], wide[name], rtol=1e-6)
    # its surrogates are drawn by a symmetric root, without arbitrary signs; a draw on the verge of
    # another maximum may still fall to either side
    np.testing.assert_allclose(narrow["smooth_95"], wide["smooth_95"], rtol=1e-3)


def test_notes_stand_in_the_axes_of_their_own_helix(rng):
    rows, notes = layers.fit_layers({0: octaves(rng), 1: octaves(rng)}, NAMES, SETTINGS, 0)
    assert len(notes) == len(rows) * KEYS
    for fit in rows.itertuples():
        of_fit = notes.query("label == @fit.label and instrument == @fit.instrument")
        assert of_fit["key"].tolist() == list(range(KEYS))
        left = of_fit[layers.PLACE].to_numpy() - curve_at(
            of_fit.assign(turn=0).iloc[0], np.arange(KEYS)
        )
        assert KEYS / (left**2).sum() == pytest.approx(fit.helicality, rel=1e-4)  # float32


def test_baselines_hear_sounds_and_tokens(tmp_path, rng):
    sounds = [np.sin(2 * np.pi * f * np.arange(16000) / measured.RATE) for f in (220, 440)]
    heard = measured.measure_sounds([sounds[0], 0.1 * sounds[1]], lowest=57)
    assert set(heard.features) == {"log-mel", "log-frequency"}
    places = heard.features["log-frequency"].argmax(1)
    assert places[1] - places[0] == 24  # an octave
    np.testing.assert_allclose(np.diff(heard.loudness), -20, atol=0.01)  # dB
    low = np.sin(2 * np.pi * 32.7 * np.arange(32000) / measured.RATE)  # C1, below the usual axis
    below = measured.measure_sounds([low], lowest=24).features["log-frequency"]
    assert below.shape[1] == heard.features["log-frequency"].shape[1] + 24
    assert below[0].argmax() <= 1
    with hdf5.create(tmp_path / "i.h5") as writer:
        writer.array("fields/codes/rows", np.array([[0, 1], [0, 1], [1, 1]], np.int16))
        writer.array("fields/codes/lengths", np.array([2, 1]))
    np.testing.assert_allclose(
        measured.codec_token_shares(tmp_path / "i.h5"), [[1, 0, 0, 1], [0, 1, 0, 1]]
    )
    with hdf5.create(tmp_path / "t.h5") as writer:
        writer.array("fields/tokens/rows", np.arange(3))
    assert measured.codec_token_shares(tmp_path / "t.h5") is None


def test_pictures_can_be_drawn_of_little_and_of_much(tmp_path, rng):
    """One point and one layer; then every route, 33 layers, verdicts of both kinds."""
    one = table_of({0: octaves(rng)}).assign(route="linear", position=1.0)
    base = one.assign(route="baseline", layer=-1, features="log-mel", position=np.nan)
    many = [one.assign(route=route, position=x, layer=layer, helicality=0.4 + x * layer / 50)
            for route in ("linear", "linear+zeros", "gradient", "step")
            for x in (0.0, 0.9, 0.95, 1.0) for layer in range(33)]  # fmt: skip
    for name, table in {"one": pd.concat([one, base]), "many": pd.concat([*many, base])}.items():
        for draw in (figures.draw_alpha, figures.draw_routes, figures.draw_layers):
            draw(table, "nano", path := tmp_path / f"{name}-{draw.__name__}.svg")
            text = path.read_text()
            assert len(text) > 3000
            assert "nano: Helicality" in text  # every picture names its model
            assert "Red ring: these notes have an octave" in text
    notes, curves = route_in_3d(rng, (0.0, 0.25, 0.5, 0.7, 0.75, 1.0))
    draw_curves(notes, curves, {1.0: "octave"}, "nano", path := tmp_path / "c.svg")
    text = path.read_text()
    assert "nano: the notes" in text
    assert text.count(">C4<") + text.count("> C4<") + text.count(" C4") >= 5  # note names, 5 panels


@pytest.mark.parametrize("height", [0.1, 0.47, 12.9])
def test_features_without_a_network_are_arrows_that_do_not_stretch_the_scale(
    height, tmp_path, rng, monkeypatch
):
    one = table_of({0: octaves(rng)}).assign(route="linear")
    table = pd.concat([one.assign(position=x, helicality=0.4 + x / 10) for x in (0, 0.5, 1)])
    base = one.assign(route="baseline", layer=-1, features="log-mel", position=np.nan)
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure.axes[0]))
    for rows in (table, pd.concat([table, base.assign(helicality=height)])):
        figures.draw_alpha(rows, "nano", tmp_path / "a.svg")
    plain, marked = drawn
    assert plain.get_ylim() == marked.get_ylim()
    assert not plain.texts
    (words,) = [text.get_text() for text in marked.texts]
    assert "log-mel" in words
    assert f"{height:.2f}".lstrip("0") in words
    low, high = plain.get_ylim()
    assert words.startswith("\N{UPWARDS ARROW}") == bool(height > high)
    assert words.startswith("\N{DOWNWARDS ARROW}") == bool(height < low)


def test_pictures_without_a_linear_route_say_so(tmp_path, rng):
    table = table_of({0: octaves(rng)}).assign(route="gradient", position=1.0)
    for draw in (figures.draw_alpha, figures.draw_layers):
        draw(table, "nano", path := tmp_path / "none.svg")
        assert "no linear route" in path.read_text()


def route_in_3d(rng, positions):
    """Aligned pooled notes and curves of a route."""
    fits = [layers.fit_layers({0: octaves(rng)}, NAMES, SETTINGS, 0)[1] for _ in positions]
    fits = [fit.rename(columns={"label": "layer"}) for fit in fits]
    fits = [fit.assign(features="network", stimuli="notes") for fit in fits]
    points = pd.DataFrame({"position": positions}).assign(model="m", route="linear", point="p")
    return [table.query("instrument == 'pooled'") for table in align_tables(fits, points)]


def test_fitting_needs_no_torch():
    """A job of a second would take four."""
    code = "import sys, fit_helix, fit_baselines, gather_helix; print('torch' in sys.modules)"
    where = {"PYTHONPATH": str(Path(layers.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=where, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_the_published_search_stands_beside_and_is_never_better(rng, monkeypatch):
    few = layers.best_of_trials
    monkeypatch.setattr(
        layers, "best_of_trials", lambda x, omega: few(x, omega, count=60, seeds=(0,))
    )
    table = table_of({0: octaves(rng)}, replace(SETTINGS, method="trials"))
    assert (table["pooled_trials"] > 1 / 3).all()
    assert (table["pooled_trials"] <= table["pooled"] + 1e-9).all()


def test_an_octave_is_known_in_an_octave_not_seen(rng):
    table = table_of({0: octaves(rng)})
    assert table["held_out_octave"].gt(0.5).all()
