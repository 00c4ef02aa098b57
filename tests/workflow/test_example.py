"""The example of SongBloom, as `make demo-songbloom` runs it: from recordings to scores."""

import shutil

import pandas as pd
import pytest
import soundfile
from study import ROOT, Study

TARGETS = ("all", "songs", "songbloom", "scores")
POINTS = ["untrained", "step-000025", "step-000050", "step-000100", "trained"]
SUNG = "results/songbloom/toy/songs/step-000200"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The example, in a folder that stands to the fixture songs as it does in the checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples/songbloom/config", folder / "examples/songbloom/config")
    (folder / "resources").mkdir()
    (folder / "resources/songs").symlink_to(ROOT / "resources/songs")
    study = Study(folder / "examples/songbloom")
    study.snakemake(*TARGETS)
    study.snakemake("explorer")  # it shows what is there, and makes no songs
    return study


def table(study, name):
    return pd.read_parquet(study.folder / f"results/tables/{name}.parquet")


def test_the_loss_of_the_sketch_halves(study):
    losses = table(study, "training").query("split == 'train'").set_index("step")["lm"]
    assert losses[200] < losses[1] / 2


def test_its_kept_steps_are_a_route_of_helix_and_perplexity(study):
    for name in ("perplexity", "helix"):
        steps = table(study, name).query("route == 'step'").sort_values("position")
        assert steps["point"].drop_duplicates().tolist() == POINTS
    figures = study.folder / "results/figures"
    for name in ("perplexity/toy", "helix/toy/routes", "training/toy"):
        assert (figures / f"{name}.svg").stat().st_size > 5000


def test_it_sings_and_its_songs_are_scored(study):
    sheet = pd.read_csv(study.folder / SUNG / "sheet.tsv", sep="\t")
    for audio in sheet["audio"]:
        sound, rate = soundfile.read(study.folder / SUNG / audio)
        assert rate == 48_000
        assert sound.shape[1] == 2
        assert len(sound) > rate
    scores = table(study, "scores")
    of_toy = scores[scores["system"].str.startswith("toy")]
    assert {"per", "ser_dtw", "ser_labels", "fad"} <= set(of_toy["metric"])


def test_all_of_it_is_seen_and_heard_in_the_explorer(study):
    data = study.folder / "results/explorer/data"
    for name in ("helix_notes", "perplexity", "songs", "song_wave", "song_lyrics", "training",
                 "generated", "scores"):  # fmt: skip
        assert list((data / name).glob("*.js")), name


def test_nothing_is_left_to_do(study):
    assert study.planned(*TARGETS, "explorer") == {}
