"""A model with several sets of notes: each is fitted, corrected and compared on its own."""

import numpy as np
import pandas as pd
import pytest
from align_helix import align_helix
from fit_baselines import fit_baselines
from fit_helix import fit_helix
from gather_helix import gather_helix
from pandas.testing import assert_frame_equal
from plot_helix import plot_helix

from rasen import stimuli
from rasen.helix.layers import fit_layers
from rasen.helix.settings import HelixSettings
from rasen.io import hdf5, parquet
from rasen.seeds import generator

SETTINGS = HelixSettings(bootstrap=50, draws=999, null_draws=19)
KEYS = {"notes": 10, "soft": 10, "low": 12}
TABLES = ("helix", "differences", "slopes", "peaks", "loudness", "trained", "trained.notes")
ALIGNED = ("helix_notes", "helix_curves")
POINTS = ("untrained", "trained")


def smooth_notes(point, name, layer):
    """Features [clip, dim] of one instrument after another; "low" has no order, "notes" and "soft"
    are the same smooth path."""
    path = "notes" if name == "soft" else name
    rng = generator(1, point, path, layer)
    walk = np.cumsum(rng.standard_normal((KEYS[name], 30)), axis=0)
    if name == "low":
        walk = rng.standard_normal((KEYS[name], 30))
    return np.concatenate([walk + 0.3 * rng.standard_normal(walk.shape) for _ in range(3)])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Clips, inputs and activations of three sets."""
    folder = tmp_path_factory.mktemp("sets")
    for name, keys in KEYS.items():
        settings = {"kind": "notes", "keys": keys, "repeats": 1, "lowest": 36 + keys}
        clips = stimuli.clips(settings | {"instruments": ["piano", "organ", "flute"]})
        parquet.write_table(clips, folder / f"{name}.parquet")
        codes = generator(2, name).integers(0, 5, (4 * len(clips), 2))
        with hdf5.create(folder / f"{name}.h5") as writer:
            writer.table("clips", clips[["clip"]])
            writer.array("fields/codes/rows", codes.astype(np.int16))
            writer.array("fields/codes/lengths", np.full(len(clips), 4))
        for point in POINTS:
            with hdf5.create(folder / f"{point}-{name}.h5") as writer:
                writer.table("clips", clips)
                for layer in range(2):
                    writer.array(f"layers/{layer:02d}", smooth_notes(point, name, layer))
    return folder


@pytest.fixture(scope="module")
def analysed(made):
    """A function: {table: DataFrame} of a model with the named sets, and the text of a figure."""

    def run(*sets):
        out = made / "-".join(sets)
        out.mkdir()
        fit_baselines(
            [made / f"{name}.parquet" for name in sets], [made / f"{name}.h5" for name in sets],
            list(sets), "m", SETTINGS, 0, out / "baselines.parquet", out / "loudness.parquet",
            out / "baselines.notes.parquet",
        )  # fmt: skip
        for point in POINTS:
            fit_helix(
                [made / f"{point}-{name}.h5" for name in sets], list(sets),
                out / "loudness.parquet", "m", point, SETTINGS, 0, out / f"{point}.parquet",
                out / f"{point}.notes.parquet",
            )  # fmt: skip
        table = pd.DataFrame({"model": "m", "route": "linear", "point": POINTS})
        parquet.write_table(table.assign(position=[0.0, 1.0]), out / "points.parquet")
        gather_helix(
            [out / f"{point}.parquet" for point in POINTS], [out / "baselines.parquet"],
            out / "points.parquet", SETTINGS, 0,
            *[out / f"{name}.parquet" for name in TABLES[:4]],
        )  # fmt: skip
        figures = [out / f"{name}.svg" for name in ("alpha", "routes", "layers", "curves")]
        aligned = [out / f"{name}.parquet" for name in ALIGNED]
        align_helix(
            [out / f"{point}.notes.parquet" for point in POINTS], [out / "baselines.notes.parquet"],
            out / "points.parquet", *aligned,
        )  # fmt: skip
        plot_helix(out / "helix.parquet", *aligned, "m", sets[0], *figures)
        names = [*TABLES, *ALIGNED]
        tables = {name: parquet.read_table(out / f"{name}.parquet") for name in names}
        return tables, [path.read_text() for path in figures]

    return run


@pytest.fixture(scope="module")
def one(analysed):
    return analysed("notes")


@pytest.fixture(scope="module")
def three(analysed):
    return analysed("notes", "soft", "low")


def of(tables, name, table):
    return tables[table].query("stimuli == @name").reset_index(drop=True)


@pytest.mark.parametrize("table", [*TABLES, *ALIGNED])
def test_further_sets_change_no_number_of_the_first(one, three, table):
    assert len(three[0][table]) > 2 * len(one[0][table])
    text = {"stimuli": "str"}  # its categories would name the other sets
    notes = of(three[0], "notes", table).astype(text)
    assert_frame_equal(notes, one[0][table].astype(text), check_exact=True)


def test_each_set_is_compared_with_itself(analysed, three):
    """What is not drawn is what the set gives alone: its own loudness, spectra, untrained model."""
    alone, _ = analysed("low")
    for table in ("differences", "slopes", "loudness", "trained.notes"):
        assert_frame_equal(of(three[0], "low", table), alone[table], check_exact=True)
    keys = ["route", "point", "layer", "stimuli", "keys", "lowest", "helicality", "random_95"]
    assert_frame_equal(of(three[0], "low", "helix")[keys], alone["helix"][keys], check_exact=True)


def test_p_values_are_corrected_set_by_set(three):
    helix = three[0]["helix"].query("route == 'linear'")
    assert not helix.duplicated(["point", "layer", "stimuli"]).any()
    found = helix.groupby("stimuli")["verdict"].agg(set)
    assert found.to_dict() == {
        "notes": {"cannot tell"}, "soft": {"cannot tell"}, "low": {"no structure"}
    }  # fmt: skip
    for _, rows in helix.groupby("stimuli"):
        assert rows["order_q"].max() == rows["order_p"].max()  # as Benjamini-Hochberg has it


def test_every_set_has_random_numbers_of_its_own(three):
    first, second = (of(three[0], name, "helix").query("layer >= 0") for name in ("notes", "soft"))
    assert first["helicality"].tolist() == second["helicality"].tolist()  # the same features
    assert (first["pooled_low"] != second["pooled_low"]).all()


def test_notes_are_as_loud_as_in_their_own_set(made, tmp_path, monkeypatch):
    """Clips of two sets may have the same names."""
    given = [parquet.read_table(made / f"{name}.parquet")[["clip"]] for name in ("notes", "soft")]
    loud = [
        clips.assign(stimuli=name, loudness=np.arange(30.0) + start)
        for clips, name, start in zip(given, ("notes", "soft"), (0, 100), strict=True)
    ]
    parquet.write_table(pd.concat(loud), tmp_path / "loudness.parquet")
    heard = []

    def spy(*arguments, loudness, **options):
        heard.append(loudness)
        return fit_layers(*arguments, **options)

    monkeypatch.setattr("fit_helix.fit_layers", spy)
    fit_helix(
        [made / "trained-notes.h5", made / "trained-soft.h5"], ["notes", "soft"],
        tmp_path / "loudness.parquet", "m", "trained", SETTINGS, 0, tmp_path / "rows.parquet",
        tmp_path / "notes.parquet",
    )  # fmt: skip
    assert [np.sort(loudness.ravel()).tolist() for loudness in heard] == [
        table["loudness"].tolist() for table in loud
    ]


def test_figures_show_the_first_set_and_name_it_where_there_are_more(one, three):
    for alone, with_others in zip(one[1], three[1], strict=True):
        assert "m, notes:" in with_others
        assert "m, notes:" not in alone
        assert "m: " in alone
