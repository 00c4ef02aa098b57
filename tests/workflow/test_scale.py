"""Planning the whole paper, and ten thousand recordings, takes seconds."""

import resource

import pandas as pd
import pytest
import yaml
from study import Study


def of_paper(size):
    """All points of a large study: 16 of the line twice, 5 corrected, 16 training steps."""
    weights = f"facebook/musicgen-{size}"
    return {
        "family": "musicgen",
        "weights": weights,
        "controls": {"seed1": {"rule": "official", "seed": 1}},
        "checkpoints": {"weights": weights + "@step{step}", "steps": [2**i for i in range(16)]},
        "activations": ["notes", "chords"],
        "gradient": "music",
        "perplexity": "heldout",
        "helix": "notes",
        "sae": "notes",
    }


@pytest.fixture
def paper(tmp_path):
    audio = {"kind": "audio", "sheet": "songs.tsv"}
    config = {
        "models": {size: of_paper(size) for size in ("small", "medium", "large")},
        "routes": {
            "linear": {
                "whole": [0, 0.25, 0.5, 0.75, 1],
                "near": [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1],
            },
            "gradient": {"positions": [0, 0.25, 0.5, 0.75, 1]},
        },
        "stimuli": {
            "notes": {"kind": "notes"}, "chords": {"kind": "notes", "lowest": 40},
            "music": audio, "heldout": audio,
        },
        "sae": {
            "layers": [2, 12, 24, 36, 46],
            "k": [8, 16, 32, 64], "expansion": [4, 8, 16, 32, 64], "lr": [1e-4, 3e-4],
        },
    }  # fmt: skip
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(config))
    songs = "".join(f"songs/{i:05d}.flac\t{i % 97}\n" for i in range(10_000))
    (tmp_path / "songs.tsv").write_text("path\tartist\n" + songs)
    return Study(tmp_path)


def test_the_paper_and_ten_thousand_songs_are_planned_in_seconds(paper):
    """Two thousand jobs with 40 SAEs at every point and layer. Processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = paper.planned()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert jobs["dump_activations"] == 3 * 2 * (2 + 3 + 10 + 3 + 5 + 16 + 1)
    assert jobs["train_sae"] == 3 * 5 * 40
    assert sum(jobs.values()) > 2000
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 20


def test_a_thousand_points_of_four_models_can_be_listed(tmp_path):
    """More than one argument of a command may hold; the other lists are of files, one each."""
    model = {"family": "causal_lm", "weights": "/models/x", "perplexity": "text"}
    config = {
        "models": {f"model-{letter}": model for letter in "dcba"},
        "routes": {
            "linear": {"whole": [i / 1000 for i in range(1001)], "near": [1]},
            "gradient": {"positions": []},
        },
        "stimuli": {"text": {"kind": "text", "sheet": "text.txt"}},
    }
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    study = Study(tmp_path)
    study.snakemake("results/tables/points.parquet")
    points = pd.read_parquet(tmp_path / "results/tables/points.parquet")
    assert len(points) == 4004
    assert points["model"].drop_duplicates().tolist() == [f"model-{letter}" for letter in "dcba"]
