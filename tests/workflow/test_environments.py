"""One run over two families in two environments: MusicGen in core's, Jukebox in its own."""

import subprocess

import numpy as np
import pandas as pd
import pytest
import soundfile
import tiny
import yaml
from study import ROOT, Study

from rasen.io import hdf5

RATE = 8000
WINDOW = 256  # codes of the tiny Jukebox, 8 samples each
LAYER = "results/sae/jukebox/trained/layer-02"
TARGETS = (  # every job that opens a model, few others
    "activations",
    "results/tables/perplexity.parquet",
    "results/tables/gradient.parquet",
    "results/helix/jukebox/baselines.parquet",
    f"{LAYER}/recovery.parquet",
    f"{LAYER}/features.parquet",
    "results/export/jukebox/gradient-0.500",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Notes, melodies, and recordings of which one is shorter than a window of Jukebox."""
    folder = tmp_path_factory.mktemp("families")
    tiny.musicgen(folder / "musicgen")
    python = subprocess.check_output([ROOT / "workflow/install", "jukebox"], text=True).strip()
    make = f"import tiny; tiny.jukebox({str(folder / 'jukebox')!r})"
    subprocess.run([python, "-c", make], cwd=ROOT / "tests", check=True)
    rng = np.random.default_rng(0)
    lines = ["clip\tpath"]
    for name, samples in (("long", 5000), ("longer", 7000), ("short", 2000)):
        soundfile.write(folder / f"{name}.wav", 0.3 * rng.standard_normal(samples), RATE)
        lines.append(f"{name}\t{name}.wav")
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    both = {"activations": ["notes"], "perplexity": "sounds", "memory": 1500}
    config = {
        "models": {
            "musicgen": {"family": "musicgen", "weights": "./musicgen", **both},
            "jukebox": {
                "family": "jukebox", "weights": "./jukebox", "gradient": "music", "helix": "notes",
                "sae": "notes", **both,
            },
        },
        "routes": {
            "linear": {"whole": [0, 0.5, 1], "near": [1]},
            "gradient": {"positions": [0.5], "eta": 0.01},
        },
        "stimuli": {
            "notes": {"kind": "notes", "keys": 8, "instruments": ["piano"], "repeats": 1,
                      "beats": 1},
            "sounds": {"kind": "audio", "sheet": "sheet.tsv"},
            "music": {"kind": "melodies", "clips": 2, "seconds": 0.6, "seed": 1},
        },
        "perplexity": {"bootstrap": 100},
        "helix": {"bootstrap": 100, "draws": 999, "null_draws": 19},
        "sae": {"points": ["trained"], "layers": [2], "expansion": 1, "k": 4, "batch": 256},
    }  # fmt: skip
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    study = Study(folder)
    study.snakemake(*TARGETS)
    return study


def table(study, name):
    return pd.read_parquet(study.folder / f"results/tables/{name}.parquet")


def test_both_are_walked_from_untrained_to_trained(study):
    perplexity = table(study, "perplexity")
    linear = perplexity.query("route == 'linear'")
    for model, groups in (("musicgen", 5), ("jukebox", 2)):  # the codebooks, and all of them
        points = linear[linear["model"] == model].groupby("position")["perplexity"]
        assert points.size().tolist() == [groups] * 3
        assert np.isfinite(points.mean()).all()
    for model in ("musicgen", "jukebox"):
        folder = study.folder / f"results/activations/{model}"
        layers = []
        for point in ("untrained", "linear-0.500", "trained"):
            with hdf5.open_file(folder / point / "notes.h5") as file:
                layers.append(file["layers/03"][:])
                assert len(file["layers"]) == tiny.DEPTH + 1
        assert layers[0].shape == (8, tiny.WIDTH)
        assert not np.allclose(layers[0], layers[1])
        assert not np.allclose(layers[1], layers[2])
    assert study.planned(*TARGETS) == {}


def test_jukebox_goes_through_every_stage(study):
    gradient = table(study, "gradient").query("model == 'jukebox'")
    assert (gradient["loss_after"] < gradient["loss_before"]).all()
    baselines = pd.read_parquet(study.folder / "results/helix/jukebox/baselines.parquet")
    assert {"log-mel", "codec tokens"} <= set(baselines["features"])
    recovery = pd.read_parquet(study.folder / LAYER / "recovery.parquet")
    assert (recovery["loss"] > 0).all()
    assert len(pd.read_parquet(study.folder / LAYER / "features.parquet"))
    export = study.folder / "results/export/jukebox/gradient-0.500"
    assert {"config.json", "pytorch_model.bin"} <= {path.name for path in export.iterdir()}


def test_a_clip_shorter_than_a_window_is_left_out_of_jukebox_alone(study):
    inputs = study.folder / "results/inputs"
    left_out = pd.read_parquet(inputs / "jukebox/sounds.quarantine.parquet")
    assert left_out["clip"].tolist() == ["short"]
    assert "less than one window of the level bottom (256 codes" in left_out["reason"].item()
    assert pd.read_parquet(inputs / "musicgen/sounds.quarantine.parquet").empty
    with hdf5.open_file(inputs / "jukebox/sounds.h5") as file:
        assert file["fields/codes/lengths"][:].tolist() == [2 * WINDOW, 3 * WINDOW]
        assert file["fields/labels/rows"][:3].tolist() == [
            [5000, 0, 2048, 0, 0], [5000, 2048, 2048, 0, 0], [7000, 0, 2048, 0, 0],
        ]  # fmt: skip


def test_another_level_makes_everything_of_that_model_again(study):
    back = study.edit(lambda config: config["models"]["jukebox"].update(level="middle"))
    jobs = study.planned(*TARGETS)
    back()
    assert jobs["encode_stimuli"] == 3
    assert jobs["measure_perplexity"] == jobs["dump_activations"] == 4
    assert "check_weights" not in jobs
