"""Scores in the config: what contradicts itself, what jobs get, how listeners' sheets are read."""

from pathlib import Path

import pandas as pd
import pytest

from rasen.errors import RasenError
from rasen.io.json_dataclass import from_json
from rasen.songs.listening import blind_clips, read_ratings
from rasen.songs.scored import EmbeddingSettings, HearingSettings
from rasen.songs.structure import StructureSettings
from rasen.study import scoring
from rasen.study.config import load_config
from rasen.study.downloads import downloads
from rasen.study.presence import missing_files, score_files

SCHEMA = Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml"
SONGS = {"sheet": "songs.tsv"}
MULAN = {"model": "OpenMuQ/MuQ-MuLan-large", "text": "FacebookAI/xlm-roberta-base"}


def load(scores, songs=SONGS):
    config = {"scores": {"sheets": {"own": "scores.tsv"}} | scores}
    return load_config(config | ({"songs": songs} if songs else {}), SCHEMA)


def test_jobs_get_settings_that_they_can_read():
    config = load({"metrics": ["per", "ser", "fad", "mcc"], "mulan": MULAN})
    heard = from_json(HearingSettings, scoring.hearing_settings(config))
    assert heard.whisper == "resources/models/Systran--faster-whisper-large-v3"
    embedded = from_json(EmbeddingSettings, scoring.embedding_settings(config))
    assert embedded.layer == 10
    assert embedded.mulan == "resources/models/OpenMuQ--MuQ-MuLan-large"
    assert embedded.mulan_audio == embedded.muq  # the MuQ of the sketches
    sections = from_json(StructureSettings, scoring.structure_settings(config))
    assert sections.backend == "novelty"
    assert "layer 10, means of 10 s" in scoring.gather_settings(config)
    assert {"OpenMuQ--MuQ-MuLan-large", "FacebookAI--xlm-roberta-base"} <= set(downloads(config))


def test_what_no_metric_needs_is_not_opened():
    config = load({"metrics": ["fad"], "fad": {"layer": 7}, "mulan": MULAN})
    embedded = from_json(EmbeddingSettings, scoring.embedding_settings(config))
    assert (embedded.layer, embedded.mulan) == (7, None)
    assert "OpenMuQ--MuQ-MuLan-large" not in downloads(config)


@pytest.mark.parametrize(
    ("scores", "songs", "told"),
    [
        ({}, None, "scores: the models that score are those of `songs`"),
        ({"metrics": ["mcc"]}, SONGS, "scores.metrics: mcc needs MuQ-MuLan"),
        ({}, SONGS | {"align": {"whisper": None}}, "scores.metrics: per needs a Whisper"),
        ({}, SONGS | {"separate": {"model": None}}, "scores.metrics: per, ser needs vocals"),
        ({"sheets": {"real": "a.tsv"}}, SONGS, "scores.sheets.real: a name must match"),
        ({"metric": ["per"]}, SONGS, "did you mean 'metrics'?"),
    ],
)
def test_contradictions_are_told(scores, songs, told):
    with pytest.raises(RasenError) as caught:
        load(scores, songs)
    assert told in str(caught.value)


def test_absent_folders_are_told_before_a_run(tmp_path):
    mulan = {key: str(tmp_path / key) for key in ("model", "text")}
    config = load({"metrics": ["mcc"], "mulan": mulan})
    problems = missing_files(config, {"scores"})
    assert [problem.split(":")[1] for problem in problems] == [
        " scores.mulan.model", " scores.mulan.text",
    ]  # fmt: skip
    assert missing_files(config, set()) == []


def test_files_of_a_sheet_are_those_that_are_there(tmp_path, monkeypatch):
    """So that a recording that is exchanged is scored again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    for name in ("a.wav", "r.wav", "a.txt"):
        (tmp_path / name).touch()
    rows = [
        ("system", "song", "audio", "lyrics", "reference"),
        ("x", "a", "../a.wav", "../a.txt", "../r.wav"), ("x", "b", "../none.wav", "", ""),
    ]  # fmt: skip
    filled(tmp_path / "config", "scores", rows)
    config = load({"sheets": {"own": "config/scores.tsv", "made": "results/made.tsv"}})
    assert score_files(config, "own", "audio") == ["a.wav"]
    assert score_files(config, "real", "audio") == ["r.wav"]
    assert score_files(config, "vae", "audio") == []
    assert score_files(config, "vae", "lyrics") == ["a.txt"]
    assert score_files(config, "made", "audio") == []
    (tmp_path / "results").mkdir()
    filled(tmp_path / "results", "made", rows)  # a rule made it: no inputs that were none before
    assert score_files(config, "made", "audio") == []
    assert score_files(config, "real", "audio") == ["r.wav"]


# --- listeners

ROWS = pd.DataFrame(
    [(system, f"s{i}", f"{system}{i}.wav") for system in "xy" for i in range(10)],
    columns=["system", "name", "audio"],
)


def test_the_order_tells_nothing_and_names_stay():
    clips = blind_clips(ROWS, 0)
    assert "".join(clips["system"]) not in ("x" * 10 + "y" * 10, "y" * 10 + "x" * 10)
    assert blind_clips(ROWS, 0).equals(clips)
    assert blind_clips(ROWS, 1)["clip"].tolist() != clips["clip"].tolist()
    more = pd.concat([ROWS, ROWS[:10].assign(system="z")], ignore_index=True)
    names = blind_clips(more, 0).set_index(["system", "name"])["clip"]
    for row in clips.itertuples():
        assert names[row.system, row.name] == row.clip


def filled(folder, name, rows):
    path = folder / f"{name}.tsv"
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return path


def test_ratings_are_read_and_wrong_ones_told(tmp_path):
    key = filled(tmp_path, "key", [("clip", "system", "song"), ("c1", "x", "a"), ("c2", "y", "a")])
    rows = [
        ("clip", "rating", "rater"), ("c1", "4,5", "ann"), ("c2", "", "ann"), ("c1", "2", ""),
        ("c1", "3", ""), ("c9", "3", "ann"), ("c2", "six", "ann"), ("c2", "0", "bo"),
        ("c1", "4", "ann"),
    ]  # fmt: skip
    ratings, out = read_ratings([filled(tmp_path, "one", rows)], key)
    assert ratings.values.tolist() == [
        ["x", "a", "ann", 4.5], ["x", "a", "", 2.0], ["x", "a", "", 3.0],
    ]  # fmt: skip
    told = [detail.split(": ", 1)[1] for detail in out["detail"]]
    assert told == [
        "no clip 'c9' was given out", "'six' is no rating from 1 to 5",
        "'0' is no rating from 1 to 5", "clip 'c1' is rated twice by 'ann'",
    ]  # fmt: skip


def test_several_sheets_are_several_raters(tmp_path):
    key = filled(tmp_path, "key", [("clip", "system", "song"), ("c1", "x", "a")])
    sheets = [
        filled(tmp_path, name, [("clip", "rating"), ("c1", rating)])
        for name, rating in (("ann", "4"), ("bo", "5"))
    ]
    ratings, _ = read_ratings(sheets, key)
    assert ratings["rater"].tolist() == ["ann", "bo"]
    with pytest.raises(RasenError, match="no column rating"):
        read_ratings([filled(tmp_path, "cy", [("clip", "stars"), ("c1", "4")])], key)


def test_the_page_can_be_read_without_scores():
    from rasen.scores.table import as_table, markdown

    out = pd.DataFrame(
        [("x", "a", "", "missing", "a.wav: no such file")],
        columns=["system", "song", "metric", "reason", "detail"],
    )
    page = markdown(as_table({}), out)
    assert "| SongBloom-full (paper) | 6.75 |" in page
    assert "x: all metrics, missing: 1" in page
