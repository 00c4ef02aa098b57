"""Settings of the song stages: what the rules pass becomes the dataclass that a script takes."""

import inspect
import json
from dataclasses import asdict, is_dataclass
from importlib import import_module

import pandas as pd
import pytest
import yaml
from study import ROOT

from rasen.errors import RasenError
from rasen.io.json_dataclass import from_json
from rasen.songs import cublas
from rasen.songs.index import Splits, split_of_artist
from rasen.study.config import read_schema, validate
from rasen.study.downloads import downloads
from rasen.study.song_checks import checked_models, unknown_checksums
from rasen.study.song_models import song_model_files, song_settings

SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


def test_models_of_songs_have_revisions_and_checksums(songs):
    """As those of `models`; and MuQ-MuLan, whose MuQ is that of the sketches."""
    named = {"sketch.model": {"model.safetensors": "a" * 64}}
    songs = songs | {"sha256": named, "sketch": songs["sketch"] | {"model": "a/muq@v1.2"}}
    scores = {"metrics": ["mcc"], "sha256": {"mulan.text": {"b.bin": "b" * 64}},
              "mulan": {"model": "a/mulan", "audio": None, "text": "a/text@r"}}  # fmt: skip
    config = {"models": {}, "songs": songs, "scores": scores}
    checked = checked_models(config)
    assert {"separate.model", "align.aligners.en", "latents.model"} < checked.keys()
    assert "structure.model" not in checked, "not with this backend"
    assert checked["sketch.model"].sha256 == named["sketch.model"]
    assert checked["mulan.audio"].weights == "a/muq@v1.2"
    assert checked["mulan.text"].sha256 == {"b.bin": "b" * 64}
    assert checked["latents.model"].sha256 == {}
    assert downloads(config)["a--muq@v1.2"][0] == "a/muq@v1.2"
    assert song_model_files(config, "sketch") == ["results/weights/songs/sketch.model.json"]
    assert list(unknown_checksums(config)) == []
    wrong = songs | {"sha256": {"sketch.muq": {}}}
    (problem,) = unknown_checksums(config | {"songs": wrong})
    assert problem.startswith("songs.sha256.sketch.muq: no such model; did you mean 'sketch.model'")


@pytest.fixture(scope="module")
def songs():
    """The section `songs` of a config that names no more than a sheet."""
    return validate({"sheet": "songs.tsv"}, read_schema(SCHEMA)["properties"]["songs"])


def passed_settings(songs, script):
    """The JSON that the rule of a script passes (rules/songs.smk, rules/shards.smk)."""
    if script == "measure_recordings":
        return json.dumps({key: songs[key] for key in ("shortest", "longest")})
    if script == "index_songs":
        return json.dumps({key: songs[key] for key in ("filters", "splits")})
    part, keys = {
        "separate_stems": ("separate", ()),
        "align_lyrics": ("align", [key for key in songs["align"] if key != "batch"]),
        "tag_structure": ("structure", ["backend"]),
        "write_phonemes": ("phonemes", ()),
        "train_codebook": (
            "sketch",
            [key for key in songs["sketch"] if key not in ("batch", "precision")],
        ),
        "encode_sketch": ("sketch", ("model", "layer", "window", "precision")),
        "encode_latents": ("latents", [key for key in songs["latents"] if key != "batch"]),
    }[script]
    return song_settings(songs, part, *keys)


SCRIPTS = ("measure_recordings", "separate_stems", "align_lyrics", "tag_structure",
           "write_phonemes", "train_codebook", "encode_sketch", "encode_latents",
           "index_songs")  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_takes_the_settings_of_its_rule(songs, script):
    parameters = inspect.signature(getattr(import_module(script), script)).parameters
    kind = parameters["settings"].annotation
    text = passed_settings(songs, script)
    settings = from_json(kind, text)
    for name, value in json.loads(text).items():
        kept = getattr(settings, name)
        assert (asdict(kept) if is_dataclass(kept) else kept) == value
    with pytest.raises(RasenError, match="no field 'loudness'"):
        from_json(kind, json.dumps(json.loads(text) | {"loudness": 1}))


def test_filters_are_parsed_inside_the_settings_of_the_index(songs):
    from rasen.songs.index import Filters, IndexSettings

    settings = from_json(IndexSettings, passed_settings(songs, "index_songs"))
    assert settings.filters == Filters(**songs["filters"])
    assert settings.splits.valid == songs["splits"]["valid"]


def test_the_demo_trains_on_one_song_and_validates_on_the_other():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    sheet = pd.read_csv(ROOT / "config/songs.tsv", sep="\t").set_index("song")
    splits = Splits(**config["songs"]["splits"])
    found = {
        song: split_of_artist(sheet.loc[song, "artist"], splits, config["seed"])
        for song in ("river", "tsuki")
    }
    assert found == {"river": "train", "tsuki": "valid"}


def test_a_gpu_without_cublas_12_is_told_at_the_start():
    def nowhere(name):
        raise OSError(f"{name}: cannot open shared object file")

    loaded = []
    cublas.check_cublas("cpu", nowhere)
    cublas.check_cublas("cuda", loaded.append)
    assert loaded == ["libcublas.so.12"]
    with pytest.raises(RasenError) as caught:
        cublas.check_cublas("cuda", nowhere)
    message = str(caught.value)
    assert "\n" not in message
    for part in ("libcublas.so.12: cannot open", "pip install nvidia-cublas-cu12", "device: cpu"):
        assert part in message
