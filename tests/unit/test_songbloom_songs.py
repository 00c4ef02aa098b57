"""Generated songs: what the config may ask for, and the job that makes them."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from generate_songs import generate_songs
from songbloom_windows import tiny
from study import ROOT

from rasen.errors import RasenError
from rasen.io import hdf5, parquet
from rasen.networks.songbloom_checkpoint import write_checkpoint
from rasen.networks.songbloom_init import initialised
from rasen.seeds import generator
from rasen.songbloom.generation import GenerateSettings, generate
from rasen.songbloom.requests import Requests, write_requests
from rasen.songbloom.settings import TrainSettings
from rasen.study import generation
from rasen.study.config import load_config

SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
TOKENS = ["", "[verse]", "[chorus]", "[inst]", ".", ",", *(f"p{n}" for n in range(40))]
ABOUT = {"inventory": "i", "vae": "v", "codebook": "c", "run": "a", "step": 4}
SETTINGS = GenerateSettings(steps=2)
SECONDS = 1.92  # 3 patches


def load(generate, runs=None, songs=True):
    runs = {"a": {"train": {"steps": 40, "keep": [20]}}, "b": {}} if runs is None else runs
    config = {"models": {}, "songbloom": {"runs": runs, "generate": generate}}
    config |= {"songs": {"sheet": "songs.tsv"}} if songs else {"models": MODEL}
    return load_config(config, SCHEMA)


MODEL = {"m": {"family": "musicgen", "weights": "/models/m"}}


def test_the_last_step_of_every_run_sings_unless_steps_are_named():
    assert generation.generating_steps(load({"sheet": "s.tsv"})) == [("a", 40), ("b", 150_000)]
    named = load({"sheet": "s.tsv", "runs": {"a": [0, 20]}})
    assert generation.generating_steps(named) == [("a", 0), ("a", 20)]
    assert generation.per_generated(named, "{run}/{step}") == ["a/000000", "a/000020"]
    assert generation.generating_steps(load(None)) == []
    train = named["songbloom"]["runs"]["a"]["train"]
    assert generation.kept_steps({"train": train}) == TrainSettings(steps=40, keep=(20,)).kept


def test_prompts_are_made_as_the_generating_runs_heard_them():
    runs = {"a": {}, "b": {"data": {"prompt": "mono"}}}
    assert generation.prompts(load({"sheet": "s.tsv"}, runs)) == '["mono", "stereo"]'
    assert generation.prompts(load({"sheet": "s.tsv", "runs": {"b": [0]}}, runs)) == '["mono"]'


def test_wrong_requests_of_the_config_are_told_at_once():
    with pytest.raises(RasenError) as error:
        load({"sheet": "s.tsv", "runs": {"a": [20, 21], "toyy": [1]}})
    told = str(error.value)
    assert "songbloom.generate.runs.a: steps [21] are not kept (kept: [0, 20, 40]); add" in told
    assert "songbloom.generate.runs: no run 'toyy'; known: a, b" in told
    with pytest.raises(RasenError, match=r"songbloom.generate: needs the VAE and phonemes"):
        load({"sheet": "s.tsv"}, songs=False)
    with pytest.raises(RasenError, match=r"songbloom.generate: no run is named"):
        load({"sheet": "s.tsv"}, runs={})


# --- the job


def spoken(words, seconds):
    """Phonemes of a song of one sung section and one without singing."""
    line = {"line": 0, "start": 0.5, "end": 0.5, "text": ""}
    line["words"] = [{"start": 0.5, "end": 0.5, "tokens": [f"p{n}"], "ids": [6 + n]} for n in words]
    sections = [
        {"flag": "verse", "start": 0, "end": 1, "lines": [line]},
        {"flag": "inst", "start": 1, "end": 1 + seconds, "lines": []},
    ]
    marks = {token: TOKENS.index(token) for token in ("[verse]", "[inst]", ".", ",")}
    return {"marks": marks, "sections": sections}


@pytest.fixture(scope="module")
def net():
    network = initialised(tiny(), 0)
    with torch.no_grad():
        network.skeleton_classifier[2].bias[-1] = -100  # songs go on
    return network.eval()


@pytest.fixture
def files(tmp_path, net):
    """Weights of a run, and the requests of two songs."""
    write_checkpoint(tmp_path / "weights", net.state_dict(), net.config, TOKENS, ABOUT)
    songs = pd.DataFrame(
        {
            "song": ["one", "two"], "lyrics": "l.txt", "language": "en", "reference": "r.wav",
            "frames": [10, 6], "phonemes": [json.dumps(spoken(w, 4)) for w in ((1, 2), (3,))],
        }
    )  # fmt: skip
    rng = np.random.default_rng(0)
    prompts = rng.standard_normal((2, 250, 64), dtype=np.float32)
    write_requests(tmp_path / "r.h5", Requests(songs, {"stereo": prompts}, "i", "v"))
    return tmp_path, prompts


def run(folder, seeds=(0, 7), at_once=3, seconds_per_flag=2.0, seconds=SECONDS):
    out = folder / "songs.h5", folder / "table.parquet"
    generate_songs(
        "a", 4, folder / "weights", folder / "r.h5", SETTINGS, seconds, list(seeds), "stereo",
        seconds_per_flag, at_once, "cpu", *out,
    )  # fmt: skip
    with hdf5.open_file(out[0]) as file:
        latents = hdf5.read_rows(file, "latents")
        return hdf5.read_table(file, "songs"), latents, parquet.read_table(out[1])


def test_every_song_and_seed_is_made_once_whatever_the_batch(files, capsys):
    folder, _ = files
    songs, latents, table = run(folder)
    assert songs["song"].tolist() == ["one", "one", "two", "two"]
    assert songs["seed"].tolist() == [0, 7, 0, 7]
    assert [*table] == ["run", "step", "song", "seed", "seconds", "rtf", "patches", "ended"]
    assert set(table["patches"]) == {3}
    assert np.allclose(table["seconds"], SECONDS)
    assert (table["rtf"] > 0).all()
    assert not table["ended"].any()
    assert "two (seed 7): patch 3, " in capsys.readouterr().out
    alone = run(folder, at_once=1)[1]
    assert np.allclose(alone, latents, atol=1e-5)
    one, seven, other, _ = latents.reshape(4, 48, 64)
    assert not np.allclose(one, seven)
    assert not np.allclose(one, other)
    assert np.array_equal(run(folder, seeds=[7], at_once=1)[1][:48], alone[48:96])


def test_songs_are_those_of_the_weights_the_lyrics_and_the_prompt(files, net):
    """Two seconds a flag: four of [inst] are two. Of the prompt the frames that there are."""
    folder, prompts = files
    _, latents, _ = run(folder, seeds=[0], at_once=1)
    ids = np.array([1, 7, 8, 5, 3, 3])  # [verse] p1 p2 , [inst] [inst]
    own_seed = int(generator(0, "song", "one").integers(1 << 62))
    song = generate(net, ids, prompts[0, :10], SECONDS, own_seed, SETTINGS)
    assert np.allclose(latents[:48], song.latents, atol=1e-6)


def test_what_the_run_cannot_sing_is_told_at_once(files, net):
    folder, prompts = files
    words = range(30)
    songs = pd.DataFrame(
        {
            "song": ["long", "odd"], "lyrics": "l", "language": "en", "reference": "r",
            "frames": 10, "phonemes": [json.dumps(spoken(w, 4)) for w in (words, (99,))],
        }
    )  # fmt: skip
    write_requests(folder / "r.h5", Requests(songs, {"stereo": prompts}, "other", "another"))
    with pytest.raises(RasenError) as error:
        run(folder, seeds=[0], seconds=0.2)
    for part in [
        "a, step 4:",
        "trained with the inventory 'i', the requests are of 'other'; set songs.phonemes",
        "trained with the vae 'v', the requests are of 'another'; set songs.latents.model",
        "long (seed 0): 34 ids of lyrics, the model takes 24",
        "odd (seed 0): ids from 1 to 105, the model knows 0 to 45",
        "0.2 s hold no patch",
    ]:
        assert part in str(error.value), part
    assert not (folder / "songs.h5").exists()
