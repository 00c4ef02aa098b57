"""Songs scored by the real workflow: good systems and bad ones, broken rows, a listening sheet."""

import csv

import numpy as np
import pandas as pd
import pytest
import soundfile
from described import undescribed
from song_study import FIXTURES, new_study

from rasen.io import parquet
from rasen.songs.demo import compose

COLUMNS = ("system", "song", "audio", "lyrics", "language", "reference", "text")
RIVER = "../resources/songs/lyrics/river.txt"
TSUKI = "../resources/songs/lyrics/tsuki.txt"


def write(study, rows, name="scores"):
    lines = ["\t".join(row) for row in (COLUMNS, *rows)]
    (study.folder / f"config/{name}.tsv").write_text("\n".join(lines) + "\n")


def score_study(folder, **scores):
    """A study of scores alone, its models those of the demo; nothing is run."""
    study = new_study(folder)

    def change(config):
        songs = config["songs"]
        config.clear()
        config["songs"] = songs
        config["scores"] = {
            "sheets": {"own": "config/scores.tsv"},
            "draws": 200,
            "vae": False,
        } | scores

    study.edit(change)
    return study


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A system that sings its lyrics, one that sings others, one without a voice; bad rows: run."""
    fad = {"seconds": 0.5}  # of 20 s songs, so that there are more rows than the 32 dimensions
    study = score_study(tmp_path_factory.mktemp("scores") / "a study", fad=fad)
    audio = study.folder / "audio"
    audio.mkdir()

    def put(name, sound):
        soundfile.write(audio / f"{name}.flac", np.asarray(sound).T, compose.RATE)
        return f"../audio/{name}.flac"

    _, river, band = compose.fixture_song(FIXTURES, "river", 0)
    _, tsuki, other = compose.fixture_song(FIXTURES, "tsuki", 1)
    river_mix, tsuki_mix = put("river", river + band), put("tsuki", tsuki + other)
    reference = put("real", sum(compose.fixture_song(FIXTURES, "river", 7)[1:]))
    rows = [
        ("good", "a", river_mix, RIVER, "en", reference, "a slow song"),
        ("good", "b", tsuki_mix, TSUKI, "", "", ""),
        ("wrong words", "a", tsuki_mix, RIVER, "en", "", ""),
        ("mute", "a", put("band", band), RIVER, "English", "", ""),
        ("good", "a", river_mix, RIVER, "en", "", ""),
        ("good", "unlyrical", put("plain", 0.9 * river + band), "", "", "", ""),
        ("good", "gone", "../audio/none.flac", RIVER, "en", "", ""),
        ("good", "silent", put("silent", np.zeros((2, 44100 * 12))), RIVER, "en", "", ""),
        ("good", "short", put("short", river[:, :44100]), RIVER, "en", "", ""),
        ("good", "klingon", river_mix, RIVER, "tlh", "", ""),
        ("real", "a", river_mix, RIVER, "en", "", ""),
    ]
    write(study, rows)
    study.output = study.snakemake("scores")
    return study


@pytest.fixture
def table(run):
    return parquet.read_table(run.folder / "results/tables/scores.parquet")


def value(table, system, metric, song=""):
    chosen = table[(table.system == system) & (table.metric == metric) & (table.song == song)]
    return float(chosen["value"].iloc[0])


def test_words_that_are_sung_have_few_errors(table):
    """The fixtures' Whisper knows a dozen stretches of three songs: where the voice activity cuts
    others, it takes the nearest."""
    assert value(table, "good", "per", "b") < 0.1
    assert value(table, "good", "per", "a") < 0.35
    assert value(table, "real", "per", "a") < 0.35  # the floor, with another accompaniment
    assert value(table, "wrong words", "per") > 0.45
    assert value(table, "good", "per_without_tones") <= value(table, "good", "per")


def test_a_song_without_a_voice_counts_as_all_wrong(table):
    assert value(table, "mute", "per") >= 0.9


def test_every_metric_has_rows_of_songs_and_systems(table):
    good = table[(table.system == "good") & (table.song == "")].set_index("metric")
    assert {"per", "per_without_tones", "ser_dtw", "ser_labels"} <= set(good.index)
    assert good.loc[["per", "ser_dtw"], "n"].tolist() == [2, 2]
    per = good.loc["per"]
    assert per["low"] <= per["value"] <= per["high"]
    assert "substituted" in per["detail"]
    assert 0 < good.loc["fad", "value"] < value(table, "mute", "fad")
    assert good.loc["fad", "n"] == 100
    assert good.loc["fad", "embedding"].endswith("layer 2, means of 0.5 s")
    assert set(table["system"]) == {"good", "wrong words", "mute", "real"}


def test_what_is_left_out_is_told_and_the_others_go_on(run):
    out = parquet.read_table(run.folder / "results/tables/scores_left_out.parquet")
    found = {(row.system, row.song, row.metric, row.reason) for row in out.itertuples()}
    assert {
        ("good", "a", "", "row"),
        ("good", "gone", "", "missing"),
        ("good", "silent", "", "silent"),
        ("good", "short", "", "too_short"),
        ("good", "klingon", "", "row"),
        ("real", "a", "", "row"),
        ("good", "unlyrical", "per", "no_lyrics"),
        ("good", "unlyrical", "ser", "no_lyrics"),
        ("good", "", "fad_infinity", "few_rows"),
    } <= found
    details = " ".join(out["detail"])
    assert "line 6: the song 'a' of 'good' occurs twice" in details
    assert "'tlh' has no phonemes" in details


def test_the_page_has_our_rows_beside_the_papers(run):
    page = (run.folder / "results/tables/scores.md").read_text()
    assert "| good | " in page
    assert "| SongBloom-full (paper) | 6.75 |" in page
    assert not undescribed(run.folder / "results")


def test_the_listening_sheet_is_blind_and_read_back(run):
    folder = run.folder / "results/listening"
    rows = list(csv.DictReader((folder / "sheet.tsv").open(), delimiter="\t"))
    assert all((folder / row["audio"]).is_file() for row in rows)
    text = (folder / "sheet.tsv").read_text()
    assert not any(word in text for word in ("good", "mute", "real", "river"))
    key = pd.read_csv(run.folder / "results/scores/listening_key.tsv", sep="\t")
    assert set(key["system"]) == {"good", "wrong words", "mute", "real"}
    systems = key.set_index("clip")["system"]
    order = [systems[row["clip"]] for row in rows]
    assert order != sorted(order)
    filled = [("clip", "rating", "rater")]
    for row in rows:
        good = systems[row["clip"]] in ("good", "real")
        filled += [(row["clip"], "5" if good else "2", "ann"), (row["clip"], "4", "bo")]
    filled += [("clip-none", "3", "ann"), (rows[0]["clip"], "9", "cy")]
    lines = ["\t".join(line) for line in filled]
    (run.folder / "config/filled.tsv").write_text("\n".join(lines) + "\n")

    back = run.edit(lambda config: config["scores"].update(listening=["config/filled.tsv"]))
    try:
        assert run.planned("scores") == {"gather_scores": 1}
        run.snakemake("scores")
    finally:
        back()
    table = parquet.read_table(run.folder / "results/tables/scores.parquet")
    assert value(table, "good", "mos") == 4.5
    assert value(table, "mute", "mos") == 3
    out = parquet.read_table(run.folder / "results/tables/scores_left_out.parquet")
    told = " ".join(out[out["reason"] == "rating"]["detail"])
    assert "no clip 'clip-none' was given out" in told
    assert "'9' is no rating from 1 to 5" in told


def test_a_changed_setting_reruns_what_depends_on_it(run):
    run.snakemake("scores")  # without the listeners' sheet
    assert run.planned("scores") == {}
    for setting, jobs in {
        ("draws", 300): {"gather_scores": 1},
        ("seconds_per_flag", 5): {"gather_scores": 1},
        ("fad", (("seconds", 5),)): {"embed_scored": 2, "gather_scores": 1},
        ("metrics", ("per",)): {"gather_scores": 1},
        ("vae", True): {
            "check_song_weights": 1,  # of the VAE
            "decode_references": 1,
            "read_scored": 1,
            "separate_scored": 1,
            "transcribe_scored": 1,
            "section_scored": 1,
            "embed_scored": 1,
            "write_listening": 1,
            "gather_scores": 1,
        },
    }.items():
        key, value = setting
        value = dict(value) if key == "fad" else list(value) if key == "metrics" else value
        back = run.edit(lambda config, key=key, value=value: config["scores"].update({key: value}))
        assert run.planned("scores") == jobs, setting
        back()


def test_an_exchanged_recording_is_scored_again(run):
    path = run.folder / "audio/plain.flac"
    sound, rate = soundfile.read(path)
    soundfile.write(path, 0.5 * sound, rate)
    planned = run.planned("scores")
    assert planned["read_scored"] == 1
    assert planned["gather_scores"] == 1
    assert "list_scored" not in planned


def test_a_rule_may_make_a_sheet(tmp_path):
    """The seam for songs that this workflow generates: the sheet of one's own rule."""
    study = score_study(tmp_path / "a study")
    study.edit(lambda config: config["scores"]["sheets"].update(made="results/made.tsv"))
    write(study, [("x", "a", "a.wav", "", "", "", "")])
    (study.folder / "Snakefile").write_text(
        f"""module rasen:
    snakefile: "{study.checkout}/Snakefile"
    config: config
configfile: "config/config.yaml"
use rule * from rasen
rule make_sheet:
    output: "results/made.tsv"
    shell: "echo > {{output}}"
"""
    )
    output = study.snakemake(
        "--dry-run", "--snakefile", study.folder / "Snakefile", "scores", ok=True
    )
    assert "rule make_sheet" in output
    assert "rule separate_scored" in output


def test_a_sheet_that_nobody_makes_is_told(tmp_path):
    study = score_study(tmp_path / "a study")
    assert "config/scores.tsv" in study.snakemake("--dry-run", "scores", ok=False)
