"""`snakemake songbloom`: a run on a few short songs, killed, gone on with, and edited."""

import os
import re
import signal
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from events import read_scalars
from study import ROOT, Study

from rasen.io import parquet
from rasen.networks.songbloom_checkpoint import read_about

SONGS, RATE, SECONDS = 6, 8000, 3.0
TRAIN = {"steps": 30, "batch": 2, "at_once": 2, "seconds": 1.28, "lr": 1.0e-3, "warmup": 2}
TRAIN |= {"save": 5, "validate": 10, "validation_windows": 2, "keep": [5, 10]}
NETWORK = {"width": 96, "heads": 3, "mlp": 1, "lyrics_rows": 40}
RUN = {"preset": "toy", "network": NETWORK, "train": TRAIN, "device": "cpu", "memory": 1500}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Songs, two equal runs of which one is killed, and their results."""
    folder = tmp_path_factory.mktemp("songbloom")
    (folder / "audio").mkdir()
    for number in range(SONGS):
        rng = np.random.default_rng(number)
        sound = 0.1 * rng.standard_normal(int(RATE * SECONDS)).cumsum() / 30
        soundfile.write(folder / f"audio/{number}.wav", np.clip(sound, -0.9, 0.9), RATE)
    (folder / "resources").mkdir()
    (folder / "resources/songs").symlink_to(ROOT / "resources/songs")
    (folder / "config").mkdir()
    config = {
        "songs": {
            "sheet": "config/songs.tsv",
            "batch": 8,
            "shortest": 1,
            "longest": 4,
            "threads": 1,
            "memory": 1500,
            "separate": {"model": None},
            "align": {"whisper": None, "aligners": {"en": "resources/songs/models/aligner"}},
            "sketch": {"model": "resources/models/demo-muq", "layer": 2, "codes": 16},
            "latents": {"model": "resources/models/demo-vae"},
            "filters": {"duplicates": False, "silence": 1, "clipping": 1},
            "splits": {"valid": 0.5, "test": 0},
        },
        "songbloom": {"runs": {"whole": deepcopy(RUN), "broken": deepcopy(RUN)}},
    }
    config["songs"]["sketch"]["sample"] = 100
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    rows = [f"s{n}\t../audio/{n}.wav\tinst\tartist {n}\n" for n in range(SONGS)]
    (folder / "config/songs.tsv").write_text("song\taudio\tlyrics\tartist\n" + "".join(rows))
    study = Study(folder)
    study.snakemake("songs")
    process = study.start("songbloom")
    kill_when(process, folder, "broken")
    output, _ = process.communicate()
    assert process.returncode != 0, output
    assert not (folder / "results/songbloom/broken/weights").exists()
    assert list((folder / "results/songbloom/broken/state").glob("step-*"))
    study.snakemake("songbloom")
    return study


def kill_when(process, folder, run):
    """SIGKILL the training of `run` once it has saved a state."""
    state = folder / f"results/songbloom/{run}/state"
    for _ in range(3000):
        if any(path.suffix != ".partial" for path in state.glob("step-*")):
            break
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_text()
        except OSError:  # it ended meanwhile
            continue
        if "train_songbloom.py" in command and f"--run\0{run}\0" in command:
            os.kill(int(entry.name), signal.SIGKILL)


def test_a_killed_run_ends_as_an_undisturbed_one(study):
    runs = study.folder / "results/songbloom"
    for step in (0, 5, 10, 30):
        files = [runs / f"{run}/weights/step-{step:06d}" for run in ("whole", "broken")]
        assert len({(f / "model.safetensors").read_bytes() for f in files}) == 1
        about = read_about(files[0])
        assert about.about["step"] == step
        assert about.config.width == 96
        assert about.config.codes == 16
    assert not (runs / "broken/state").exists()
    table = parquet.read_table(study.folder / "results/tables/training.parquet")
    told = [
        rows.drop(columns=["run", "tokens_s", "memory"]).reset_index(drop=True)
        for _, rows in table.groupby("run")
    ]
    assert told[0].equals(told[1])
    assert told[0].query("split == 'train'")["step"].tolist() == [*range(1, 31)]
    assert told[0].query("split == 'valid'")["step"].tolist() == [0, 10, 20, 30]
    for run in ("whole", "broken"):
        rows = table[table["run"] == run]
        told = read_scalars(runs / run / "tensorboard")
        for split in ("train", "valid"):
            of_split = rows[rows["split"] == split]
            assert [n for n, _ in told[f"lm/{split}"]] == of_split["step"].tolist()
            assert [v for _, v in told[f"lm/{split}"]] == pytest.approx(of_split["lm"].tolist())
    log = (study.folder / "logs/train_songbloom/whole.log").read_text()
    assert re.search(
        r"^memory of a step, windows at once: 2: about [\d.]+ MB \(weights ", log, re.M
    )
    assert (study.folder / "results/figures/training/whole.svg").is_file()


AFTER = {"train_songbloom": 1, "gather_training": 1, "plot_training": 2}


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        (lambda run: run["train"].update(lr=2.0e-3), AFTER),
        (lambda run: run["network"].update(lm_layers=1), AFTER),
        (lambda run: run.update(memory=3000, runtime=9), {}),
    ],
    ids=["lr", "network", "resources"],
)
def test_an_edit_reruns_that_run_alone(study, change, jobs):
    assert study.planned("songbloom") == {}
    undo = study.edit(lambda config: change(config["songbloom"]["runs"]["whole"]))
    try:
        assert study.planned("songbloom") == jobs
    finally:
        undo()


def test_another_run_leaves_the_others(study):
    undo = study.edit(lambda config: config["songbloom"]["runs"].update(third=deepcopy(RUN)))
    try:
        jobs = {"train_songbloom": 1, "gather_training": 1, "plot_training": 3}
        assert study.planned("songbloom") == jobs
    finally:
        undo()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c["songbloom"]["runs"]["whole"]["train"].update(keep=[99]), "ends at step 30"),
        (lambda c: c["songbloom"]["runs"]["whole"].update(processes=3), "2 over 3 processes"),
        (lambda c: c["songbloom"]["runs"]["whole"].update(preset="toyy"), "preset"),
        (lambda c: c["songbloom"]["runs"]["whole"]["train"].update(setps=3), "steps"),
    ],
)
def test_a_wrong_run_is_told_before_anything_starts(study, change, told):
    undo = study.edit(change)
    try:
        output = study.snakemake("--dry-run", "songbloom", ok=False)
        assert told in output
        assert "Traceback" not in output
    finally:
        undo()


def test_a_field_that_a_network_has_not_is_told_by_its_job(study):
    undo = study.edit(
        lambda config: config["songbloom"]["runs"]["whole"].update(network={"widht": 96})
    )
    try:
        study.snakemake("songbloom", ok=False)
        log = (study.folder / "logs/train_songbloom/whole.log").read_text()
        assert "did you mean 'width'" in log
        assert "Traceback" not in log
    finally:
        undo()


def test_two_processes_have_the_losses_of_one(study):
    """Last: it trains `whole` anew."""
    path = study.folder / "results/tables/training.parquet"
    one = parquet.read_table(path).query("run == 'whole'")
    study.edit(
        lambda config: (
            config["songbloom"]["runs"]["whole"].update(processes=2),
            config["songbloom"]["runs"]["whole"]["train"].update(at_once=1),
        )
    )
    study.snakemake("songbloom")
    two = parquet.read_table(path).query("run == 'whole'")
    for name in ("lm", "flow"):  # 30 steps in which rounding grows
        assert two[name].to_numpy() == pytest.approx(one[name].to_numpy(), rel=1e-3)
