"""Windows of the songs as stimuli: what the family reads is what the training reads."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from study import ROOT

from rasen.errors import RasenError
from rasen.families import open_family
from rasen.io import inputs, parquet
from rasen.measure.interpolate import load_at_point
from rasen.measure.perplexity import clip_losses
from rasen.songbloom.batches import as_batch, term_counts, window_sample
from rasen.songbloom.settings import TrainSettings
from rasen.songbloom.stimuli import WindowSettings, encode_windows, window_clips
from rasen.songs import shards
from rasen.songs.dataset import Windows
from rasen.study.config import load_config
from rasen.study.recipe import Recipe

LENGTHS = {"short": 48, "even": 160, "long": 400, "bare": 96}  # frames
LYRICS = 24  # rows of the model
SETTINGS = WindowSettings(split="valid", seconds=5.12, seed=3, clips=6)
MADE = {"split": "valid", "codebook": "c0de", "vae": "7ae", "tempo": 120.0, "music_key": "C"}
ABOUT = {"inventory": "rasen-1", "codebook": "c0de", "vae": "7ae"}


def phonemes_of(song, frames):
    """A word of two ids every 0.64 s in all songs but one."""
    times = [] if song == "bare" else np.arange(0, frames / 25, 0.64).tolist()
    words = [
        {"start": at, "end": at + 0.5, "tokens": ["a", "b"], "ids": [1 + n % 2, 2]}
        for n, at in enumerate(times)
    ]
    line = {"line": 0, "start": 0, "end": frames / 25, "text": "la", "words": words}
    section = {"flag": "verse", "start": 0, "end": frames / 25, "lines": [line] * bool(words)}
    marks = {"[verse]": 3, ".": 4, ",": 5}
    known = {"inventory": "rasen-1", "vocabulary": len(tiny.TOKENS), "marks": marks}
    return {"song": song, "language": "en", **known, "sections": [section]}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The index of a shard with songs of random tokens and latents."""
    results, rng, rows = tmp_path_factory.mktemp("results"), np.random.default_rng(0), []
    for song, frames in LENGTHS.items():
        home = results / "songs" / song
        home.mkdir(parents=True)
        np.save(home / "sketch.npy", rng.integers(tiny.CARD, size=frames).astype(np.uint16))
        latents = rng.standard_normal((frames, 128)).astype(np.float16)
        np.save(home / "latents.npy", np.abs(latents))
        (home / "phonemes.json").write_text(json.dumps(phonemes_of(song, frames)))
        about = {"artist": f"by {song}", "language": "", "license": "", "seconds": frames / 25}
        rows.append({"song": song, **about})
    shards.write_shard(results / "shards/00000.h5", pd.DataFrame(rows), results / "songs")
    table = shards.shard_contents(results / "shards/00000.h5").assign(shard="00000", **MADE)
    parquet.write_table(table, results / "tables/songs.parquet")
    return results / "tables/songs.parquet"


def model(folder, **about):
    tiny.songbloom(folder, about={**ABOUT, **about}, lyrics_rows=LYRICS)
    return load_at_point(Recipe("songbloom", str(folder), "trained"), "cpu")


def encoded(family, index, path, settings=SETTINGS):
    clips = window_clips(index, settings)
    return clips, encode_windows(family, clips, index, settings, path)


def test_windows_are_listed_with_the_labels_of_their_songs(index):
    clips = window_clips(index, SETTINGS)
    assert len(clips) == 6
    assert clips["clip"].is_unique
    assert (clips["clip"] == clips["song"] + "-" + clips["start"].map("{:.2f}".format)).all()
    assert (clips["group"] == "by " + clips["song"]).all()
    assert set(clips["language"]) == {"en"}
    assert set(clips["tempo"]) == {120.0}
    assert (clips["start"] / 0.64 % 1 == 0).all()
    every = window_clips(index, replace(SETTINGS, clips=1000))
    assert every.groupby("song")["seconds"].sum().to_dict() == {
        song: pytest.approx(frames / 25) for song, frames in LENGTHS.items()
    }
    assert every[:6].equals(clips)


def test_inputs_are_what_windows_give(index, tmp_path):
    family, _ = model(tmp_path / "model")
    clips, left_out = encoded(family, index, tmp_path / "clips.h5")
    assert left_out.empty
    assert left_out.columns.tolist() == ["clip", "reason"]
    made = inputs.Inputs(tmp_path / "clips.h5")
    windows = Windows(
        index, "valid", 5.12, 3, longest_text=LYRICS, prompt_seconds=family.config.prompt_rows / 25
    )
    assert made.lengths.tolist() == [len(windows[place]["sketch"]) for place in range(6)]
    for place, row in clips.iterrows():
        window, clip = windows[place], made.clip(place)
        assert (row["song"], row["start"], row["last"]) == tuple(
            window[name] for name in ("song", "start", "last")
        )
        for name, field in (("latents", "mean"), ("sketch", "sketch"), ("prompt", "prompt")):
            assert (clip[name] == window[field]).all(), name
        ids = window["ids"] if len(window["ids"]) else [0]
        assert clip["lyrics"].tolist() == list(ids)
        assert clip["told"].tolist() == [len(ids), window["prompt_frames"]]


@torch.inference_mode()
def test_the_loss_of_a_window_is_that_of_the_training(index, tmp_path):
    """Without what training draws at random, masks and the end of a song; and it hears them."""
    family, network = model(tmp_path / "model")
    clips, _ = encoded(family, index, tmp_path / "clips.h5")
    made = inputs.Inputs(tmp_path / "clips.h5")
    losses = clip_losses(family, network, made, "cpu", batch=3)
    windows = Windows(
        index, "valid", 5.12, 3, longest_text=LYRICS, prompt_seconds=family.config.prompt_rows / 25
    )
    for place in range(len(clips)):
        window = windows[place]
        still = {name: np.zeros_like(window[name]) for name in ("scale", "prompt_scale")}
        sample = window_sample(
            {**window, **still, "last": False}, family.config, TrainSettings(), "valid"
        )
        out = network(as_batch([sample], family.config))
        assert losses["loss"][place] == pytest.approx(out.lm_sum.item(), rel=1e-5)
        assert losses["targets"][place] == term_counts([sample])[0]
    batch = next(made.batches(len(clips)))
    told = {name: batch[name] for name in ("latents", "sketch", "seed", "lengths")}
    without, _ = family.losses(network, told)
    assert (np.abs(without[:, 0].numpy() - losses["loss"]) > 1e-3).all()


@pytest.mark.parametrize("what", ABOUT)
def test_songs_that_the_model_was_not_trained_on_are_refused(index, tmp_path, what):
    family, _ = model(tmp_path / "model", **{what: "other"})
    with pytest.raises(RasenError, match=rf"{what} {ABOUT[what]}, not other"):
        encoded(family, index, tmp_path / "clips.h5")
    assert not (tmp_path / "clips.h5").exists()


def test_codes_that_the_model_has_not_are_refused(index, tmp_path):
    """By a public model, which does not tell its codebook."""
    tiny.songbloom(tmp_path / "model", public=True, codes=16)
    with pytest.raises(RasenError, match=r"of its sketch, the model has 16; give the model"):
        encoded(open_family("songbloom", tmp_path / "model"), index, tmp_path / "clips.h5")
    assert not (tmp_path / "clips.h5").exists()


def test_windows_of_broken_patches_are_left_out(index, tmp_path):
    tiny.songbloom(tmp_path / "model", about=ABOUT, patch=32)
    family = open_family("songbloom", tmp_path / "model")
    clips, left_out = encoded(family, index, tmp_path / "clips.h5")
    broken = clips["clip"][(clips["seconds"] * 25).round() % 32 > 0]
    assert 0 < len(broken) < len(clips)
    assert left_out["clip"].tolist() == broken.tolist()
    assert set(left_out["reason"]) == {"its frames are no multiple of 32, the model's patch"}
    assert len(inputs.Inputs(tmp_path / "clips.h5")) == len(clips) - len(broken)


def test_other_families_do_not_read_windows():
    schema = ROOT / "workflow/schemas/config.schema.yaml"
    config = {
        "models": {"m": {"family": "musicgen", "weights": "/models/m", "perplexity": "sung"}},
        "stimuli": {"sung": {"kind": "windows"}},
    }
    with pytest.raises(RasenError) as error:
        load_config(config, schema)
    assert "models.m.perplexity: musicgen reads audio, but 'sung' is of kind windows" in str(
        error.value
    )
    assert "stimuli.sung: windows are of songs; name a sheet in `songs`" in str(error.value)
