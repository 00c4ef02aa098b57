"""The small workflow, really run: what it makes, what reruns, what breaks."""

import json
import os
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from described import undescribed
from safetensors.torch import load_file

from rasen.io import hdf5
from rasen.measure.interpolate import load_at_point
from rasen.study.recipe import Initialisation, Recipe


def table(study, name):
    return pd.read_parquet(study.folder / f"results/tables/{name}.parquet")


def test_a_run_leaves_what_it_promises_and_nothing_half_done(finished):
    results = finished.folder / "results"
    assert (results / "README.md").exists()
    assert (results / "figures/perplexity/nano.svg").stat().st_size > 5000
    assert not list(finished.folder.rglob("*.partial"))
    assert not list(results.glob("gradient/**/*.safetensors")), "corrected weights are temporary"
    assert finished.planned() == {}


def test_every_column_of_every_table_has_a_word(finished):
    assert not undescribed(finished.folder / "results")


def test_tables_are_tidy_and_complete(finished):
    points = table(finished, "points")
    assert list(points) == ["model", "route", "point", "position"]
    perplexity = table(finished, "perplexity")
    keys = ["model", "route", "point", "position", "group"]
    assert list(perplexity)[:5] == keys
    assert not perplexity.duplicated(keys).any()
    assert not perplexity.isna().any().any()
    assert len(perplexity) == 5 * len(points.query("model == 'nano'")) + 2 * len(
        points.query("model == 'llama'")
    )
    gradient = table(finished, "gradient")
    assert gradient["point"].tolist() == ["gradient-0.500"]
    assert (gradient["loss_after"] < gradient["loss_before"]).all()
    assert (gradient["change"] > 0).all()


def test_a_broken_recording_is_left_out_and_told(finished):
    inputs = finished.folder / "results/inputs/nano"
    left_out = pd.read_parquet(inputs / "recordings.quarantine.parquet")
    assert left_out["clip"].tolist() == ["000004-broken"]
    assert "the file is empty (0 bytes)" in left_out["reason"].item()
    assert pd.read_parquet(inputs / "notes.quarantine.parquet").empty
    with hdf5.open_file(finished.folder / "results/activations/nano/trained/recordings.h5") as file:
        assert hdf5.read_table(file, "clips")["pitch"].tolist() == [60, 61, 62, 63]
        assert len(file["layers/00"]) == 4
    told = finished.snakemake("--forcerun", "list_points", "--", "list_points")
    assert "1 clips of recordings are left out for nano; why: results/inputs/nano/rec" in told


def test_gradient_points_say_how_they_came_about(finished):
    told = json.loads(
        (finished.folder / "results/activations/nano/gradient-0.500/notes.json").read_text()
    )
    assert told["recipe"]["correction"] == {"data": "music", "eta": 1.0, "steps": 1}
    assert table(finished, "gradient")[["data", "eta", "steps"]].values.tolist() == [
        ["music", 1.0, 1]
    ]


def test_helix_table(finished):
    """Eight keys of one timbre: few, but every column is there, and no octave can be."""
    points = table(finished, "points").query("model == 'nano'")
    helix = table(finished, "helix")
    keys = ["model", "route", "point", "position", "stimuli", "layer"]
    assert list(helix)[:8] == [*keys, "features", "verdict"]
    assert not helix.duplicated(keys).any()
    assert len(helix) == 7 * len(points) + 3
    network = helix.query("route != 'baseline'")
    assert network["keys"].eq(8).all()
    assert network["features"].eq("network").all()
    assert (network["helicality"] > 1 / 3).all()
    assert set(helix["verdict"]) <= {"no structure", "cannot tell"}  # 8 keys
    pairs = table(finished, "helix_differences")
    assert set(pairs["against"]) == {"untrained", "previous point", "log-mel"}
    assert pairs["difference"].notna().all()
    assert pairs["low"].isna().all()  # one instrument has no interval
    assert set(helix.query("layer == -1")["features"]) == {
        "log-mel", "log-frequency", "codec tokens",
    }  # fmt: skip
    for name in ("alpha", "routes", "layers", "curves"):
        assert (finished.folder / f"results/figures/helix/nano/{name}.svg").stat().st_size > 5000


def test_every_table_has_models_routes_and_points_in_one_order(finished):
    """That of points.parquet, which says so in the results' README; baselines come after."""
    keys = ["model", "route", "point"]
    order = [tuple(row) for row in table(finished, "points")[keys].to_numpy()]
    assert list(dict.fromkeys(route for _, route, _ in order)) == ["linear", "gradient", "step"]
    checked = 0
    for path in sorted((finished.folder / "results/tables").glob("*.parquet")):
        rows = pd.read_parquet(path)
        if set(keys) <= set(rows) and path.stem != "points":
            visited = rows.query("route != 'baseline'")[keys].drop_duplicates()
            visited = [tuple(row) for row in visited.to_numpy()]
            assert visited == [point for point in order if point in visited], path.stem
            checked += 1
    assert checked > 5


def test_helix_notes_and_curves(finished):
    """Every note of every fit: of the network, of the three baselines, and pooled."""
    points = table(finished, "points").query("model == 'nano'")
    notes, curves = table(finished, "helix_notes"), table(finished, "helix_curves")
    keys = ["model", "route", "point", "position", "stimuli", "layer", "features", "instrument"]
    assert list(notes) == [*keys, "key", "pitch", "x", "y", "z"]
    assert len(curves) == 2 * (7 * len(points) + 3)  # one instrument and pooled
    assert len(notes) == 8 * len(curves)
    assert not notes.duplicated([*keys, "key"]).any()
    assert notes["x"].notna().all()
    baselines = curves.query("route == 'baseline'")
    assert baselines["features"].tolist() == baselines["point"].tolist()
    assert baselines["layer"].eq(-1).all()


def test_sae_tables(finished):
    """Two points, one layer, two SAEs each; every feature of the main one has its row."""
    saes = table(finished, "sae")
    assert list(saes)[:6] == ["model", "route", "point", "position", "layer", "sae"]
    step = saes.query("route == 'step'")
    assert step.groupby("point").size().to_dict() == {"trained": 2, "untrained": 2}
    assert (step["k"] == step["l0"].round()).all()
    assert step["best"].all()
    assert np.isfinite(step[["fvu", "fvu_normal", "loss", "loss_model", "loss_mean"]]).all(
        axis=None
    )
    features = table(finished, "features")
    assert features.groupby("point")["feature"].nunique().to_dict() == {
        "trained": 128, "untrained": 128,
    }  # fmt: skip
    assert "label" not in features, "eight keys of one timbre: nothing to tell clips apart by"
    flow = table(finished, "feature_flow")
    assert flow[["from_point", "to_point"]].to_numpy().tolist() == [["untrained", "trained"]]
    assert (flow["matched"] + flow["deaths"] == flow["before"]).all()
    folder = finished.folder / "results/sae/nano/trained/layer-02"
    for name in step["sae"].unique():
        assert (folder / name / "cfg.json").exists()
    pictures = finished.folder / "results/figures/sae/nano"
    assert {path.name for path in pictures.glob("*.svg")} == {
        "grid-layer-2.svg", "flow-layer-2.svg",
    }  # fmt: skip


def test_the_ends_of_routes_are_one_and_the_same(finished):
    perplexity = table(finished, "perplexity").query("model == 'nano' and group == 'mean'")
    for end in ("untrained", "trained"):
        rows = perplexity[perplexity["point"] == end]
        assert rows["perplexity"].nunique() == 1
        assert set(rows["route"]) == {"linear", "step"}


def test_nanos_run_begins_at_theta_init(finished):
    """Step 0 of the training run is bit for bit the point `untrained`."""
    nano = finished.folder / "resources/models/nano"
    recipe = Recipe("musicgen", str(nano), "untrained", initial=Initialisation("official", 0))
    _, network = load_at_point(recipe, "cpu")
    first = load_file(nano / "checkpoints/step-000000/model.safetensors")
    last = load_file(nano / "checkpoints/step-000004/model.safetensors")
    trained = load_file(nano / "model.safetensors")
    for name, tensor in network.state_dict().items():
        assert np.array_equal(tensor, first[name]), name
        assert np.array_equal(last[name], trained[f"decoder.{name}"]), name


def test_activations_describe_themselves(finished):
    path = finished.folder / "results/activations/nano/linear-0.500/recordings.h5"
    hdf5.verify(path)
    with h5py.File(path) as file:
        assert file["layers/06"].shape == (4, 128)
        assert file["clips/pitch"][:].tolist() == [60, 61, 62, 63]
        for name in ("model", "point", "recipe", "weights", "stimuli", "code", "pool", "layers"):
            assert file.attrs[name], name
        assert '"rule": "official"' in file.attrs["recipe"]


def test_report_can_be_made(finished):
    finished.snakemake("--report", "results/report.html")
    page = (finished.folder / "results/report.html").read_text()
    assert "Perplexity" in page


def test_a_point_can_be_exported(finished):
    from transformers import MusicgenForConditionalGeneration

    finished.snakemake("results/export/nano/linear-0.500")
    folder = finished.folder / "results/export/nano/linear-0.500"
    MusicgenForConditionalGeneration.from_pretrained(folder)
    assert finished.planned() == {}


# --- what reruns


# Corrected weights are temporary. When one consumer of them reruns they are made again, and
# Snakemake then reruns their other consumers too (whose results come out the same).
CORRECTED_AGAIN = {
    "correct_gradient": 1,
    "gather_gradient": 1,
    "measure_perplexity": 1,
    "gather_perplexity": 1,
    "plot_perplexity": 2,
}


SAES_AGAIN = {
    "train_sae": 2, "measure_recovery": 2, "tally_features": 2, "match_features": 1,
    "gather_sae": 1, "plot_sae": 1,
}  # fmt: skip
HELIX_AGAIN = {"fit_helix": 5, "gather_helix": 1, "align_helix": 1, "plot_helix": 1}


def nothing(config):
    pass


def set_in(*path):
    *steps, key, value = path

    def change(config):
        for step in steps:
            config = config.setdefault(step, {})
        config[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        (nothing, {}),
        (set_in("models", "nano", "helix", ["notes"]), {}),
        (set_in("perplexity", "bootstrap", 200), {"gather_perplexity": 1, "plot_perplexity": 2}),
        (set_in("helix", "null_draws", 29), {"fit_baselines": 1} | HELIX_AGAIN),
        (set_in("sae", "k", [4, 3]), SAES_AGAIN),
        (set_in("sae", "layers", [2, 3]), {"dump_frames": 2} | SAES_AGAIN | {
            "train_sae": 4, "measure_recovery": 4, "tally_features": 4, "match_features": 2,
        }),
        (set_in("sae", "points", ["untrained", "step-000002", "trained"]), {
            "dump_frames": 1, "train_sae": 1, "measure_recovery": 1, "tally_features": 1,
            "match_features": 1, "gather_sae": 1, "plot_sae": 1,
        }),
        (set_in("models", "nano", "batch", 3), {}),
        (set_in("models", "nano", "device", "cpu"), {}),
        (set_in("models", "nano", "memory", 9000), {}),
        (
            set_in("activations", "pool", "last"),
            {"dump_activations": 13} | CORRECTED_AGAIN | HELIX_AGAIN,
        ),
        (
            set_in("models", "nano", "delay", False),
            {"dump_activations": 10} | CORRECTED_AGAIN | HELIX_AGAIN,  # no SAE: see recovery.py
        ),
        (set_in("models", "nano", "gpus", 2), {}),
        (set_in("models", "nano", "gradient", {"data": "music", "batch": 1, "checkpointing": True}),
         {}),
        (
            set_in("models", "llama", "dtype", "bfloat16"),  # and no tokens are made again
            {"dump_activations": 3, "measure_perplexity": 3, "gather_perplexity": 1,
             "plot_perplexity": 2},
        ),
        (
            set_in("routes", "gradient", "eta", [1, 0.1]),  # one more point, and no other
            {"list_points": 1, "correct_gradient": 1, "gather_gradient": 1, "dump_activations": 2,
             "measure_perplexity": 1, "gather_perplexity": 1, "plot_perplexity": 2,
             "gather_sae": 1, "plot_sae": 1}
            | HELIX_AGAIN | {"fit_helix": 1},
        ),
        (
            set_in("models", "llama", "initial", {"rule": "hf", "seed": 2}),
            {"dump_activations": 2, "measure_perplexity": 2, "gather_perplexity": 1,
             "plot_perplexity": 2},
        ),
        (
            set_in("routes", "linear", "near", [0.9, 1]),
            {"list_points": 1, "dump_activations": 3, "measure_perplexity": 2,
             "gather_perplexity": 1, "gather_gradient": 1, "plot_perplexity": 2, "gather_sae": 1,
             "plot_sae": 1}
            | HELIX_AGAIN | {"fit_helix": 1},
        ),
        (
            set_in("routes", "gradient", "eta", 0.5),
            {"correct_gradient": 1, "gather_gradient": 1, "dump_activations": 2,
             "measure_perplexity": 1, "gather_perplexity": 1, "plot_perplexity": 2}
            | HELIX_AGAIN | {"fit_helix": 1},
        ),
        (
            set_in("stimuli", "sentences", "sheet", "others.txt"),
            {"list_stimuli": 1, "encode_stimuli": 1, "dump_activations": 3,
             "measure_perplexity": 3, "guess_tokens": 1, "gather_perplexity": 1,
             "plot_perplexity": 2},
        ),
    ],
)  # fmt: skip
def test_an_edit_reruns_exactly_its_dependants(finished, change, jobs):
    shutil.copy(finished.folder / "sentences.txt", finished.folder / "others.txt")
    undo = finished.edit(change)
    try:
        assert finished.planned() == jobs
    finally:
        undo()
    assert finished.planned() == {}


def test_touched_inputs_rerun_nothing(finished):
    for name in ("sentences.txt", "recordings/sheet.tsv"):
        os.utime(finished.folder / name)
    assert finished.planned() == {}


def test_what_was_lost_comes_back_byte_for_byte(finished):
    results = finished.folder / "results"
    lost = [
        results / "perplexity/nano/linear-0.500.parquet",
        results / "activations/nano/linear-0.500/recordings.h5",
        results / "tables/perplexity.parquet",
        results / "figures/perplexity/nano.svg",
    ]
    before = [path.read_bytes() for path in lost]
    for path in lost:
        path.unlink()
    finished.snakemake("all", "activations")
    assert [path.read_bytes() for path in lost] == before


# --- what breaks


def test_broken_weights_stop_their_jobs_and_no_others(other):
    """One clear line in the log, nothing half-written, other models go on."""
    weights = other.folder / "models/llama/model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    other.edit(lambda config: config["models"]["nano"].update(activations=[], helix=None))
    target = ["results/inputs/nano/music.h5", "results/perplexity/llama/trained.parquet"]
    output = other.snakemake("--keep-going", *target, ok=False)
    log = (other.folder / "logs/check_weights/llama/trained.log").read_text()
    assert log.startswith("Error: models/llama/model.safetensors: damaged or cut short")
    assert len(log.splitlines()) == 1
    assert "check_weights" in output
    assert (other.folder / "results/inputs/nano/music.h5").exists()
    assert not (other.folder / "results/weights/llama").exists()

    weights.write_bytes(whole)
    other.snakemake(*target)
    assert (other.folder / "results/perplexity/llama/trained.parquet").exists()


def test_a_set_of_bad_recordings_stops_its_job(other):
    """One bad recording is left out; where all are bad, nothing is written."""
    for pitch in (60, 61, 63):
        (other.folder / f"recordings/sine {pitch}.wav").write_bytes(b"")
    (other.folder / "recordings/sine 62.wav").write_text("words")
    other.snakemake("results/inputs/nano/recordings.h5", ok=False)
    log = (other.folder / "logs/encode_stimuli/nano/recordings.log").read_text()
    assert "Error: 5 of 5 clips cannot be used:" in log
    assert "sine 61.wav: the file is empty (0 bytes); replace it" in log
    assert "sine 62.wav: cannot be read as audio" in log
    assert "Traceback" not in log
    assert not (other.folder / "results/inputs/nano/recordings.h5").exists()
