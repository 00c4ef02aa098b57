"""The explorer shows songs that were made, and makes none: a study of songs alone."""

import os
import sys
from pathlib import Path

import pytest
from song_study import songs_alone
from study import ROOT

sys.path.append(str(ROOT / "tests/explorer"))
import made_media

PAGE = {"write_readme": 1, "write_config": 1, "write_explorer": 1}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    study = songs_alone(tmp_path_factory.mktemp("explorer") / "a study")
    study.snakemake("write_config")  # another run writes the database of records
    return study


def data(study):
    """Names of the page's data."""
    folder = study.folder / "results/explorer/data"
    return {path.parent.name for path in folder.glob("*/*.js")}


def test_no_song_is_made_for_the_page(study):
    assert study.planned("explorer").keys() <= PAGE.keys()
    study.snakemake("explorer")
    assert "songs" not in data(study)
    assert study.planned("explorer") == {}


def test_songs_that_are_there_are_shown_and_copied_when_asked_for(study, monkeypatch):
    monkeypatch.chdir(study.folder)
    made_media.write_results(Path(), made_media.song_tables(Path()))
    assert study.planned("explorer") == {"write_explorer": 1}
    study.snakemake("explorer")
    assert {"songs", "song_wave", "song_lyrics"} <= data(study)
    assert study.planned("explorer") == {}
    os.utime("results/tables/words.parquet")
    assert study.planned("explorer") == {"write_explorer": 1}
    study.edit(lambda config: config.update(explorer={"media": "copy"}))
    study.snakemake("explorer")
    assert len(list(Path("results/explorer/media").glob("*.mp3"))) == 6
    assert study.planned("explorer") == {}
