"""Probes of three families in two environments in one run, and what edits of tasks make again."""

import numpy as np
import pytest
from described import undescribed
from families_study import three_families

from rasen.io import hdf5, parquet


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    study = three_families(tmp_path_factory.mktemp("families") / "a folder")
    study.snakemake("probes")
    return study


def table(study, name):
    return parquet.read_table(study.folder / f"results/tables/{name}.parquet")


def test_one_table_of_all_models_points_layers_and_tasks(study):
    probes = table(study, "probes")
    network = probes[(probes["features"] == "network") & (probes["row"] == "probe")]
    depth = {"musicgen": 4, "muq": 4, "jukebox": 4}
    assert not undescribed(study.folder / "results")
    for model, layers in depth.items():
        some = network[(network["model"] == model) & (network["task"] == "pitch_class")]
        assert some["layer"].nunique() == layers
        assert set(some["point"]) == {"untrained", "linear-0.500", "trained"}
        assert some["value"].between(0, 1).all()
    assert set(network.loc[network["model"] == "muq", "task"]) == {
        "pitch_class", "instrument", "beat", "chord",
    }  # fmt: skip
    baselines = {"log-mel", "log-frequency"}
    assert baselines <= set(probes.loc[probes["model"] == "muq", "features"])
    assert "codec tokens" in set(probes.loc[probes["model"] == "jukebox", "features"])
    assert set(probes["split"]) == {"grouped", "random"}


def test_what_is_gained_on_the_untrained_model_is_paired(study):
    probes = table(study, "probes")
    keys = ["features", "layer", "task", "metric"]
    some = probes[(probes["model"] == "muq") & (probes["split"] == "grouped")]
    some = some[some["features"] == "network"]
    gained = some[(some["against"] == "untrained") & (some["point"] == "trained")]
    value = some[some["row"] == "probe"].pivot_table(index=keys, columns="point", values="value")
    wanted = (value["trained"] - value["untrained"]).reset_index(name="wanted")
    both = gained.merge(wanted, on=keys)
    assert len(both) == len(gained) == 4 * (2 * 2 + 1 + 1)
    assert np.allclose(both["value"], both["wanted"], atol=1e-6)
    assert (both["low"] <= both["value"] + 1e-6).all()


def test_frames_are_means_of_parts_of_a_second(study):
    with hdf5.open_file(study.folder / "results/means/muq/trained/clicks.h5") as file:
        time, clip = file["rows/time"][:], file["rows/clip"][:]
        assert np.allclose(time[clip == 0], (np.arange(45) + 0.5) / 15)
    probes = table(study, "probes")
    beat = probes[(probes["task"] == "beat") & (probes["row"] == "probe")]
    assert set(beat["metric"]) == {"beat_f"}
    assert beat["n"].eq(6).all()
    assert {"network", "log-mel", "selected", "mix"} <= set(beat["features"])


def test_layers_of_models_are_compared(study):
    similar = table(study, "similarity")
    pairs = similar[similar["model"] != similar["model_2"]]
    assert set(zip(pairs["model"], pairs["model_2"], strict=True)) == {
        ("musicgen", "muq"), ("musicgen", "jukebox"), ("muq", "jukebox"),
    }  # fmt: skip
    assert (pairs["point"] == "trained").all()
    assert (pairs.groupby(["model", "model_2", "measure"]).size() == 16).all()
    cka = similar[similar["measure"] == "cka"]
    # tokens of the tiny MusicGen are the same for all notes, so it is like nothing
    known = cka[(cka["model"] != "musicgen") & (cka["model_2"] != "musicgen")]
    assert known["value"].between(-0.5, 1 + 1e-6).all()
    near = known[(known["model"] == "muq") & (known["model_2"] == "muq")]
    assert near["value"].max() > 0.9


def test_the_lens_ends_at_the_perplexity(study):
    lens = table(study, "lens")
    last = lens[lens["layer"] == 3]
    study.snakemake("perplexity")
    both = last.merge(table(study, "perplexity"), on=["model", "route", "point", "group"])
    assert len(both) == 3 * (5 + 2 + 2)
    assert np.allclose(both["loss_x"], both["loss_y"])
    assert np.allclose(both["low_x"], both["low_y"])


def test_each_model_ran_in_the_environment_of_its_family(study):
    for model, environment in (("muq", "core"), ("jukebox", "jukebox")):
        output = study.snakemake(
            "--dry-run", "--forcerun", "dump_activations", "--printshellcmds",
            f"results/activations/{model}/trained/notes.h5",
        )  # fmt: skip
        assert f"rasen {environment} dump_activations.py" in output


FITTED = {"fit_probes": 9, "gather_probes": 1, "plot_probes": 3}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c["tasks"]["instrument"].update(metrics=["macro_f1"]), FITTED),
        (lambda c: c["tasks"]["chord"].update(metrics=["macro_f1"]),
         {"fit_frame_probes": 3, "gather_probes": 1, "plot_probes": 3}),
        (lambda c: c["probes"].update(folds=4), FITTED | {"fit_frame_probes": 3}),
        (lambda c: c["probes"].update(frames=10),
         {"fit_frame_probes": 3, "dump_means": 3, "measure_spectra": 1, "gather_probes": 1,
          "plot_probes": 3}),
        (lambda c: c["probes"]["similarity"].update(measures=["cka"]),
         {"measure_similarity": 9, "gather_similarity": 1, "plot_similarity": 3}),
        (lambda c: c["models"]["muq"].update(probes=["pitch_class"]),
         {"fit_probes": 3, "gather_probes": 1, "plot_probes": 3}),
        (lambda c: c["models"]["muq"].update(batch_norm=None),
         {"dump_activations": 1, "dump_means": 1, "measure_lens": 1, "fit_probes": 1,
          "fit_frame_probes": 1, "measure_similarity": 1, "gather_similarity": 1,
          "plot_similarity": 6, "gather_lens": 1, "plot_lens": 3, "gather_probes": 1,
          "plot_probes": 3}),
        (lambda c: c["models"]["muq"].update(batch=2), {}),
    ],
)  # fmt: skip
def test_edits_run_what_they_must_again(study, change, expected):
    back = study.edit(change)
    planned = study.planned("probes")
    back()
    assert planned == expected


def test_a_sheet_of_beats_that_changes_is_read_again(study):
    assert study.planned("probes") == {}
    sheet = study.folder / "beats.tsv"
    before = sheet.read_text()
    sheet.write_text(before + "000000-click0\t0.05\n")
    assert study.planned("probes")["fit_frame_probes"] == 3
    sheet.write_text(before + "000000-click0\t9\n")
    output = study.snakemake("probes", ok=False)
    sheet.write_text(before)
    logs = (study.folder / "logs/fit_frame_probes/muq").glob("*/clicks.log")
    assert "line 48: 9.0 s is past the end of 000000-click0" in output + "".join(
        log.read_text() for log in logs
    )
    study.snakemake("probes")
