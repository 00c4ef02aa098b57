"""Songs that SongBloom makes, by the real workflow: what runs, and what runs again."""

import numpy as np
import pytest
import soundfile
from described import undescribed
from song_study import new_study

from rasen.io import hashes, parquet
from rasen.networks.songbloom_checkpoint import write_checkpoint
from rasen.networks.songbloom_init import initialised
from rasen.songbloom.run import RunSettings, architecture
from rasen.songs.phonemes.inventory import built_in_inventory
from rasen.songs.scored import read_score_sheet

VAE = "resources/models/demo-vae"
OWN = ("prepare_requests", "generate_songs", "decode_songs", "gather_generated")
# the training would need all stages of the songs; its weights are put there
ALONE = (
    "generated",
    "--allowed-rules",
    *OWN,
    "generated",
    "write_readme",
    "make_demo_models",
    "check_song_weights",
)
STEPS = ("step-000000", "step-000002")
SIZES = {"width": 96, "heads": 3, "lm_layers": 1, "lyrics_rows": 60, "prompt_rows": 10}
LYRICS = "[intro 2 s]\n\n[verse]\nover the river the morning is gold\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose first weights and some others make two songs with two seeds; a broken row."""
    study = new_study(tmp_path_factory.mktemp("generated") / "a study")

    def change(config):
        songs, bloom = config["songs"], config["songbloom"]
        config.clear()
        bloom["runs"]["toy"]["train"] = {"steps": 2, "validate": 0}
        settings = {"seconds": 1.28, "settings": {"steps": 2}, "seeds": [0, 3]}
        bloom["generate"] |= settings | {"sheet": "config/mine.tsv", "runs": {"toy": [0]}}
        config |= {"songs": songs, "songbloom": bloom}

    study.edit(change)
    home = study.folder
    (home / "audio").mkdir()
    sound = 0.1 * np.random.default_rng(0).standard_normal((3 * 44100, 2))
    soundfile.write(home / "audio/a.wav", sound, 44100)
    (home / "audio/a.txt").write_text(LYRICS)
    rows = ["song\tlyrics\tlanguage\treference"]
    rows += [f"{name}\t../audio/a.txt\ten\t../audio/{wav}.wav" for name, wav in
             (("one", "a"), ("two", "a"), ("lost", "none"))]  # fmt: skip
    (home / "config/mine.tsv").write_text("\n".join(rows) + "\n")
    study.snakemake(f"{VAE}/vae.safetensors")
    checkpoint = architecture(RunSettings("toy", SIZES), 32, built_in_inventory())
    about = {"inventory": "rasen-1", "vae": hashes.hash_folder(home / VAE)}
    for seed, name in enumerate(STEPS):
        state = initialised(checkpoint.config, seed).state_dict()
        state["skeleton_classifier.2.bias"][-1] = -100  # songs go on
        folder = home / "results/songbloom/toy/weights" / name
        write_checkpoint(folder, state, checkpoint.config, checkpoint.tokens, about)
    study.snakemake(*ALONE)
    return study


@pytest.fixture
def folder(run):
    return run.folder / "results/songbloom/toy/songs/step-000000"


def test_every_song_is_a_recording_and_a_row(run, folder):
    table = parquet.read_table(run.folder / "results/tables/generated.parquet")
    found = table[["run", "step", "song", "seed", "patches"]].to_numpy().tolist()
    assert found == [["toy", 0, song, seed, 2] for song in ("one", "two") for seed in (0, 3)]
    for song, seed in ((song, seed) for song in ("one", "two") for seed in (0, 3)):
        sound, rate = soundfile.read(folder / f"{song}--seed-{seed}.flac")
        assert (sound.shape, rate) == ((61440, 2), 48000)
        assert sound.any()
    out = parquet.read_table(run.folder / "results/tables/generated_left_out.parquet")
    assert out[["song", "reason"]].to_numpy().tolist() == [["lost", "missing"]]
    assert not undescribed(run.folder / "results")


def test_the_sheet_can_be_scored_as_it_is(run, folder, monkeypatch):
    monkeypatch.chdir(run.folder)
    rows, out = read_score_sheet(folder.relative_to(run.folder) / "sheet.tsv")
    assert out.empty
    assert rows["song"].tolist() == ["one", "one", "two", "two"]
    assert set(rows["system"]) == {"toy-step-000000-seed-0", "toy-step-000000-seed-3"}
    for column in ("audio", "lyrics", "reference"):
        assert all((run.folder / path).is_file() for path in rows[column])
    assert set(rows["reference"]) == {"audio/a.wav"}


def edit_generate(**changes):
    return lambda config: config["songbloom"]["generate"].update(changes)


AGAIN = {"generate_songs": 1, "decode_songs": 1, "gather_generated": 1}


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        (lambda config: None, {}),
        (edit_generate(settings={"steps": 2, "temperature": 0.5}), AGAIN),
        (edit_generate(seeds=[0, 3, 4]), AGAIN),
        (edit_generate(seconds=1.92), AGAIN),
        (edit_generate(batch=1, memory=999, runtime=3), {}),
        (edit_generate(runs={"toy": [0, 2]}), AGAIN),  # of the new step alone
        (lambda config: config["songs"]["structure"].update(backend="given"), {}),
        (lambda config: config["songs"].update(threads=2), {}),
        (
            lambda config: config["songbloom"]["runs"]["toy"].update(data={"seconds_per_flag": 5}),
            AGAIN,
        ),
        (
            lambda config: config["songbloom"]["runs"]["toy"].update(data={"prompt": "mono"}),
            AGAIN | {"prepare_requests": 1},
        ),
    ],
)
def test_a_change_reruns_what_depends_on_it(run, change, jobs):
    undo = run.edit(change)
    try:
        assert run.planned(*ALONE) == jobs
    finally:
        undo()


def test_changed_lyrics_are_sung_anew(run):
    path = run.folder / "audio/a.txt"
    path.write_text(LYRICS + "carry me home\n")
    assert run.planned(*ALONE) == AGAIN | {"prepare_requests": 1}


def test_songs_are_planned_with_the_training_or_alone(tmp_path):
    study = new_study(tmp_path / "a study")
    whole, alone = study.planned("songbloom"), study.planned("generated")
    for jobs in (whole, alone):
        assert jobs["train_songbloom"] == 1
        assert {rule: jobs[rule] for rule in OWN} == dict.fromkeys(OWN, 1)
    assert "plot_training" not in alone
    study.edit(lambda config: config["songbloom"].pop("generate"))
    assert not set(OWN) & set(study.planned("songbloom"))


def test_runs_and_steps_that_are_not_kept_are_told_before_any_job(tmp_path):
    study = new_study(tmp_path / "a study")
    study.edit(edit_generate(runs={"toy": [7], "tony": [0]}))
    output = study.snakemake("--dry-run", "generated", ok=False)
    assert "songbloom.generate.runs.toy: steps [7] are not kept" in output
    assert "songbloom.generate.runs: no run 'tony'; did you mean 'toy'?" in output
