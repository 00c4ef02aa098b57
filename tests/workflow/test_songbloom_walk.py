"""The family `songbloom` from sound to tables: clips in the environment of the songs."""

import subprocess

import numpy as np
import pandas as pd
import pytest
import tiny
import yaml
from study import ROOT, Study

from rasen.io import hdf5

LAYER = "results/sae/toy/trained/layer-02"
TARGETS = (
    "activations",
    "results/tables/perplexity.parquet",
    "results/tables/gradient.parquet",
    "results/tables/helix.parquet",
    "results/tables/probes.parquet",
    f"{LAYER}/recovery.parquet",
    "results/export/toy/step-000002",
)
CODECS = """
import sys
from pathlib import Path
import numpy as np
from rasen.networks.codebook import Codebook, save_codebook
from rasen.songs.demo.models import make_muq, make_vae
folder = Path(sys.argv[1])
make_muq(folder / "muq", 0)
make_vae(folder / "vae", 0)
vectors = np.random.default_rng(0).standard_normal((int(sys.argv[2]), 32)).astype(np.float32)
save_codebook(Codebook(vectors), folder / "codebook.safetensors")
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A tiny model with codecs of its own, read by everything that reads a model."""
    folder = tmp_path_factory.mktemp("songbloom")
    python = subprocess.check_output([ROOT / "workflow/install", "songs"], text=True).strip()
    command = [python, "-c", CODECS, folder, str(tiny.CARD)]
    subprocess.run(command, cwd=ROOT / "workflow/scripts", check=True)
    tiny.songbloom(folder / "model")
    tiny.songbloom(folder / "steps/step-000002", seed=3)
    config = {
        "models": {
            "toy": {
                "family": "songbloom", "weights": "./model", "memory": 1500, "times": [0.5],
                "muq": "./muq", "muq_layer": 2, "vae": "./vae",
                "codebook": "./codebook.safetensors",
                "checkpoints": {"weights": "./steps/step-{step:06d}", "steps": [2],
                                "untrained": 0, "trained": 4},
                "activations": ["notes"], "perplexity": "music", "gradient": "music",
                "helix": "notes", "sae": "notes", "probes": ["pitch_class"],
            },
        },
        "routes": {
            "linear": {"whole": [0, 1], "near": [1]},
            "gradient": {"positions": [0.5], "eta": 0.001},
        },
        "stimuli": {
            "notes": {"kind": "notes", "keys": 8, "repeats": 1,
                      "instruments": ["piano", "organ", "flute"]},
            "music": {"kind": "melodies", "clips": 3, "seconds": 1.5, "seed": 1},
        },
        "tasks": {"pitch_class": {"stimuli": "notes", "label": "pitch_class",
                                  "groups": "instrument"}},
        "probes": {"folds": 3, "bootstrap": 100, "points": ["trained"]},
        "perplexity": {"bootstrap": 100},
        "helix": {"bootstrap": 100, "draws": 999, "null_draws": 19},
        "sae": {"points": ["trained"], "layers": [2], "expansion": 1, "k": 4, "batch": 256},
    }  # fmt: skip
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    study = Study(folder)
    study.snakemake(*TARGETS)
    return study


def test_a_run_is_walked_from_its_first_step_to_its_last(study):
    perplexity = pd.read_parquet(study.folder / "results/tables/perplexity.parquet")
    walked = perplexity.query("route == 'step'").drop_duplicates("position")
    assert walked["point"].tolist() == ["untrained", "step-000002", "trained"]
    untrained = walked[walked["point"] == "untrained"]["perplexity"].item()
    assert untrained == pytest.approx(tiny.CARD, rel=0.05)  # it knows nothing: every code alike
    assert set(perplexity["group"]) >= {"sketch"}
    with hdf5.open_file(study.folder / "results/activations/toy/trained/notes.h5") as file:
        assert len(file["layers"]) == tiny.DEPTH + 1 + 2
        for layer in file["layers"].values():
            assert layer.shape == (24, 128)
            assert np.isfinite(layer[:]).all()
    helix = pd.read_parquet(study.folder / "results/tables/helix.parquet")
    assert helix["layer"].max() == tiny.DEPTH + 2
    gradient = pd.read_parquet(study.folder / "results/tables/gradient.parquet")
    assert (gradient["loss_after"] < gradient["loss_before"]).all()
    recovery = pd.read_parquet(study.folder / LAYER / "recovery.parquet")
    assert (recovery["loss"] > 0).all()
    probes = pd.read_parquet(study.folder / "results/tables/probes.parquet")
    assert "trained" in set(probes["point"])
    export = study.folder / "results/export/toy/step-000002"
    assert {"config.yaml", "model.safetensors"} <= {path.name for path in export.iterdir()}
    assert study.planned(*TARGETS) == {}


def test_what_is_read_of_the_dit_encodes_nothing_again(study):
    back = study.edit(lambda config: config["models"]["toy"].update(times=[0.25]))
    jobs = study.planned("activations")
    assert "measure_perplexity" not in study.planned("results/tables/perplexity.parquet")
    back()
    # corrected weights are not kept
    assert jobs == {"dump_activations": 4, "correct_gradient": 1, "activations": 1}


def test_another_codebook_makes_the_clips_again(study):
    path = study.folder / "codebook.safetensors"
    before = path.read_bytes()
    path.write_bytes(before[:-4] + b"\0\0\0\0")
    jobs = study.planned("activations")
    path.write_bytes(before)
    assert jobs["encode_stimuli"] == 2  # what is dumped, and what corrects the gradient point
    assert jobs["dump_activations"] == 4


def test_a_codebook_that_is_not_there_is_told_before_a_run(study):
    back = study.edit(lambda config: config["models"]["toy"].update(codebook="./nowhere.npy"))
    told = study.snakemake("activations", ok=False)
    back()
    assert "models.toy.codebook: ./nowhere.npy does not exist; correct the path" in told
