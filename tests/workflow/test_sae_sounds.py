"""Labels of sounds through the real workflow: songs, events in time, CLAP, questions, audio."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import tiny
import yaml
from described import undescribed
from study import Study

from rasen.sae.features.tally import open_tally

LAYER = "results/sae/small/trained/layer-02"
SONGS, CLIPS, RATE = 10, 3, 16_000


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Thirty clips of ten songs, and a sheet of what happens when in each.

    The tiny model's codec hears no difference, so what its features can follow is time alone.
    """
    folder = tmp_path_factory.mktemp("sounds")
    tiny.musicgen(folder / "model")
    tiny.clap(folder / "clap")
    rng = np.random.default_rng(0)
    sheet, events = ["clip\tpath\tgroup"], ["clip\tstart\tend\tevent"]
    for song in range(SONGS):
        for clip in range(CLIPS):
            name = f"{song}-{clip}"
            soundfile.write(folder / f"{name}.wav", rng.uniform(-0.5, 0.5, RATE), RATE)
            sheet.append(f"{name}\t{name}.wav\tsong {song}")
            events += [f"{name}\t0\t0.4\tbegins", f"{name}\t0.4\t1\tgoes on"]
    (folder / "songs.tsv").write_text("\n".join(sheet) + "\n")
    (folder / "events.tsv").write_text("\n".join(events) + "\n")
    config = {
        "models": {"small": {"family": "musicgen", "weights": "./model", "sae": "tones"}},
        "routes": {"linear": {"whole": [0, 1], "near": [1]}},
        "stimuli": {"tones": {"kind": "audio", "sheet": "songs.tsv", "seconds": 1}},
        "sae": {
            "points": ["trained"], "layers": [2], "expansion": 1, "k": 4, "batch": 256,
            "epochs": 20, "label": {
                "intervals": {"tones": "events.tsv"}, "rate": [0, 1], "top": 2,
                "questions": True, "clap": {
                    "weights": "./clap",
                    "prompts": {"instrument": {"piano": "piano", "flute": "flute"}},
                },
            },
        },
    }  # fmt: skip
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    study = Study(folder)
    study.snakemake("sae", "sae_clips")
    return study


def test_the_clips_of_one_song_are_tallied(study):
    assert not undescribed(study.folder / "results")
    with open_tally(study.folder / LAYER / "tally.h5") as tally:
        songs = set(tally.clips.number // CLIPS)
        assert len(songs) == 1
        assert len(tally.clips) == CLIPS
    features = pd.read_parquet(study.folder / LAYER / "features.parquet")
    assert "label" not in features, "one song: none to choose labels on and others to judge them on"
    coverage = pd.read_parquet(study.folder / "results/tables/feature_coverage.parquet")
    assert coverage["units"].tolist() == ["none"]


def test_all_clips_on_request_with_labels_of_clips_and_frames(study):
    """Only the tally and what rests on it runs again."""
    study.edit(lambda config: config["sae"].update(rows="all"))
    planned = study.planned("sae", "sae_clips")
    assert planned == {
        "tally_features": 1, "export_top_clips": 1, "write_question": 1, "gather_sae": 1,
        "plot_sae": 1,
    }  # fmt: skip
    study.snakemake("sae", "sae_clips")
    features = pd.read_parquet(study.folder / LAYER / "features.parquet")
    assert features["p_frame"].notna().any()
    assert set(features["column_frame"].dropna()) <= {"", "event"}
    confirmed = features[features["confirmed_frame"].eq(True)]
    assert "event begins" in set(confirmed["label_frame"])
    coverage = pd.read_parquet(study.folder / "results/tables/feature_coverage.parquet")
    assert "frames" in set(coverage["units"])
    tags = pd.read_parquet(study.folder / "results/clap/tones.parquet")
    assert tags.columns.tolist() == ["clap_instrument"]
    assert len(tags) == SONGS * CLIPS
    assert features["kept"].all()


def test_top_clips_are_written_once_with_a_playlist_per_feature(study):
    folder = study.folder / LAYER / "tones"
    top = pd.read_parquet(study.folder / LAYER / "top_clips.parquet")
    assert top.groupby("feature").size().max() == 2
    seconds = top["activation"].map(len) * top["frames_each"] / top["frame_rate"]
    assert seconds.between(0.9, 1.1).all()
    assert top["activation"].map(max).max() == 255
    sound, rate = soundfile.read(folder / f"{top['clip'][0]:06d}.flac")
    assert len(sound) / rate == pytest.approx(1, abs=0.01)
    assert len(list(folder.glob("*.flac"))) == top["clip"].nunique()
    feature, rows = next(iter(top.sort_values("rank").groupby("feature")))
    lines = (folder / f"feature-{feature:05d}.m3u8").read_text().splitlines()
    assert lines[2::2] == [f"{clip:06d}.flac" for clip in rows["clip"]]
    names = [f"{clip // CLIPS}-{clip % CLIPS}" for clip in rows["clip"]]
    assert [line.split(",")[1].split(" ")[0] for line in lines[1::2]] == names


def test_answers_to_the_question_are_judged(study):
    question = study.folder / "results/sae/small/questions/trained-layer-02.json"
    asked = json.loads(question.read_text())
    assert asked["about"]["layer"] == "2"
    assert {example["clip"] for example in asked["features"][0]["examples"]} <= {
        f"{song}-{clip}" for song in range(SONGS) for clip in range(CLIPS)
    }
    labels = [
        {"feature": feature["feature"], "label": (asked["tags"] or ["a tone"])[0]}
        for feature in asked["features"][:3]
    ]
    (study.folder / "answers").mkdir()
    answer = {"format": "rasen-labels-1", "labels": labels}
    (study.folder / "answers" / question.name).write_text(json.dumps(answer))
    study.edit(lambda config: config["sae"]["label"].update(answers={"small": "answers"}))
    assert study.planned("sae") == {"judge_answers": 1}
    study.snakemake("sae")
    answers = pd.read_parquet(study.folder / LAYER / "answers.parquet")
    assert answers["feature"].tolist() == [row["feature"] for row in labels]
    assert ("auroc_hard" in answers) == bool(asked["tags"])


def test_labels_of_sets_and_models_that_do_not_exist_are_refused(study):
    back = study.edit(
        lambda config: config["sae"]["label"].update(
            intervals={"tone": "events.tsv"}, answers={"big": "x"}, rate=[0.5, 0.1]
        )
    )
    output = study.snakemake("--dry-run", "sae", ok=False)
    back()
    assert "sae.label.intervals: no stimulus set 'tone'; did you mean 'tones'?" in output
    assert "sae.label.answers: no model 'big'" in output
    assert "sae.label.rate: [0.5, 0.1] runs backwards; write [0.1, 0.5]" in output
