"""Stems by policy through the real workflow: recompressed, deleted, never separated again."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from study import ROOT, Study

from rasen.io import parquet
from rasen.songs import stems
from rasen.songs.demo import compose

FIXTURES = ROOT / "resources/songs"
LYRICS = "../resources/songs/lyrics/river.txt"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A song with given vocals, one without any lyrics that can be found, and an instrumental."""
    study = Study(tmp_path_factory.mktemp("stems") / "thin stems")
    shutil.copytree(ROOT / "config", study.folder / "config")
    (study.folder / "resources").mkdir()
    (study.folder / "resources/songs").symlink_to(FIXTURES)
    (study.folder / "audio").mkdir()

    def change(config):
        songs = config["songs"] | {"separate": {"model": None}, "batch": 8, "stems": "opus"}
        config.clear()
        config["songs"] = songs

    study.edit(change)
    rows = ["song\taudio\tlyrics\tlanguage\tvocals"]
    (study.folder / "config/songs.tsv").write_text("\n".join(rows) + "\n")
    add_song(study, "river", 0)
    add_song(study, "other", 5, lyrics="../resources/songs/lyrics/yue.txt")
    add_song(study, "band", 6, lyrics="inst", voice=0)
    return study


def add_song(study, name, seed, lyrics=LYRICS, voice=1.0):
    """A row more in the sheet: the fixture song with another accompaniment."""
    _, vocals, band = compose.fixture_song(FIXTURES, "river", seed)
    audio, given = f"audio/{name}.flac", f"audio/{name}_voice.flac" if voice else ""
    soundfile.write(study.folder / audio, (voice * vocals + band).T, compose.RATE)
    if given:
        soundfile.write(study.folder / given, (voice * vocals).T, compose.RATE)
    row = (name, f"../{audio}", lyrics, "en" * bool(voice), given and f"../{given}")
    with open(study.folder / "config/songs.tsv", "a") as sheet:
        sheet.write("\t".join(row) + "\n")


def stem_files(study, song):
    home = study.folder / "results/songs" / song
    return sorted(path.name for end in ("flac", "opus") for path in home.glob(f"*.{end}"))


def separated(study):
    """The songs that the latest separation worked on."""
    log = (study.folder / "logs/separate_stems/00000.log").read_text()
    return [line.split(":")[0] for line in log.splitlines()]


def thinned(study):
    table = parquet.read_table(study.folder / "results/batches/thin_stems/00000.parquet")
    return table.set_index("song")


def test_stems_are_recompressed_when_the_index_is_made(study):
    study.snakemake("songs")
    assert stem_files(study, "river") == ["accompaniment.opus", "vocals.opus"]
    assert stem_files(study, "other") == ["accompaniment.flac", "vocals.flac"]  # in quarantine
    assert stem_files(study, "band") == []
    vocals, rate = stems.read_stem(study.folder / "results/songs/river", "vocals")
    given, native = soundfile.read(study.folder / "audio/river_voice.flac")
    assert vocals.shape[1] / rate == pytest.approx(len(given) / native, abs=1 / rate)
    sizes = thinned(study)
    assert sizes.index.tolist() == ["river"]
    receipt = json.loads((study.folder / "results/songs/river/.separate_stems.json").read_text())
    assert sizes.loc["river", "before"] == sum(json.loads(receipt["files"]).values())
    assert 0 < sizes.loc["river", "after"] < sizes.loc["river", "before"] / 2  # 16 bits
    assert study.planned("songs") == {}


def test_a_later_stage_reads_the_recompressed_stems(study):
    study.edit(lambda config: config["songs"]["align"].update(surprise=4.5))
    study.snakemake("songs")
    words = parquet.read_table(study.folder / "results/tables/words.parquet")
    truth = json.loads((FIXTURES / "truth/river.json").read_text(encoding="utf-8"))
    true = [word["start"] for line in truth["lines"] for word in line["words"]]
    assert np.abs(words["start"] - true).mean() < 0.030
    assert study.planned("songs") == {}


def test_a_corpus_without_stems_grows_by_a_song(study):
    study.edit(lambda config: config["songs"].update(stems="delete"))
    assert study.planned("songs") == {"thin_stems": 1, "measure_peaks": 1}
    study.snakemake("songs")
    assert stem_files(study, "river") == []
    assert thinned(study)["after"].tolist() == [0]
    assert study.planned("songs") == {}
    add_song(study, "more", 8, voice=0.9)
    study.snakemake("songs")
    assert separated(study) == ["more"]
    assert stem_files(study, "river") == stem_files(study, "more") == []
    assert thinned(study).index.tolist() == ["river", "more"]
    songs = parquet.read_table(study.folder / "results/tables/songs.parquet")
    assert songs["song"].tolist() == ["river", "band", "more"]
    assert study.planned("songs") == {}


def test_a_filter_needs_no_stems(study):
    study.edit(lambda config: config["songs"].update(filters={"match": 0.6}))
    assert "thin_stems" not in study.planned("songs")
    study.snakemake("songs")
    assert study.planned("songs") == {}


def test_deleted_stems_that_are_needed_again_are_told_with_the_cure(study):
    study.edit(lambda config: config["songs"]["align"].update(surprise=4))
    study.snakemake("songs", ok=False)
    log = (study.folder / "logs/align_lyrics/00000.log").read_text()
    assert "opened" not in log  # told before a model is opened
    assert "the stems of river, more (2 in this batch) are needed again" in log
    cure = "find results/songs -name .stems.json -delete"
    assert cure in log
    subprocess.run(cure.split(), cwd=study.folder, check=True)
    assert "snakemake songs --forcerun separate_stems" in log
    study.snakemake("songs", "--forcerun", "separate_stems")
    assert separated(study) == ["river", "more"]
    assert stem_files(study, "river") == stem_files(study, "more") == []
    assert study.planned("songs") == {}
