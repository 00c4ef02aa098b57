"""`snakemake songbloom`: a run on a few short songs, killed, gone on with, and edited."""

import os
import re
import shutil
import signal
import time
from copy import deepcopy
from pathlib import Path

import pytest
from described import undescribed
from events import read_scalars
from songbloom_study import RUN, noise_songs

from rasen.io import parquet
from rasen.networks.songbloom_checkpoint import read_about


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Songs, two equal runs of which one is killed, and their results."""
    folder = tmp_path_factory.mktemp("songbloom")
    study = noise_songs(folder, "whole", "broken")
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
    assert not undescribed(study.folder / "results")
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
        (lambda c: c["songbloom"]["runs"]["whole"].update(nodes=4), "2 over 4 processes"),
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


def test_several_nodes_without_slurm_are_refused_before_anything_starts(study):
    undo = study.edit(
        lambda c: (
            c["songbloom"]["runs"]["whole"].update(nodes=2),
            c["songbloom"]["runs"]["whole"]["train"].update(at_once=1),
        )
    )
    try:
        told = study.snakemake("songbloom", ok=False)
        assert "songbloom.runs.whole.nodes: 2 nodes are had from SLURM alone; run with" in told
        assert "Traceback" not in told
        assert (study.folder / "results/songbloom/whole/weights").is_dir()
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


def test_the_start_of_a_run_is_followed(study):
    """As with the weights of models: exchanged ones are trained from anew, touched ones are not."""
    start = study.folder / "start"
    shutil.copytree(study.folder / "results/songbloom/broken/weights/step-000030", start)
    further = deepcopy(RUN) | {"init_from": "./start"}
    further["train"] |= {"steps": 1, "keep": [], "validate": 0}
    undo = study.edit(lambda config: config["songbloom"]["runs"].update(further=further))
    try:
        study.snakemake("results/songbloom/further/weights")
        weights = start / "model.safetensors"
        before, date = weights.read_bytes(), weights.stat().st_mtime
        os.utime(weights)
        target = "results/songbloom/further/weights"
        assert study.planned(target) == {}
        weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        os.utime(weights, (date, date))
        assert study.planned(target) == {"check_start": 1, "train_songbloom": 1}
        weights.write_bytes(before)
        assert study.planned(target) == {}
        start.rename(start.with_name("elsewhere"))
        assert study.planned(target) == {}, "a trained run does not need its start"
        told = study.snakemake("--forcerun", "train_songbloom", "--", target, ok=False)
        assert "songbloom.runs.further.init_from: start does not exist; give a local" in told
        assert "Traceback" not in told
    finally:
        undo()


def test_the_perplexity_of_windows_is_that_of_the_runs_songs(study):
    """A kept step reads the validation songs from the shards, with their prompts."""
    model = {
        "family": "songbloom", "weights": "results/songbloom/broken/weights/step-000030",
        "perplexity": "sung", "activations": ["sung"], "memory": 1500, "device": "cpu",
    }  # fmt: skip

    def change(config):
        config["models"] = {"toy": model}
        config["stimuli"] = {"sung": {"kind": "windows", "seconds": 1.28, "clips": 4}}
        config["routes"] = {"linear": {"whole": [0, 1], "near": [1]}}

    undo = study.edit(change)
    try:
        targets = ("results/tables/perplexity.parquet", "activations")
        study.snakemake(*targets)
        table = parquet.read_table(study.folder / "results/tables/perplexity.parquet")
        loss = table.query("group == 'sketch'").groupby("point")["loss"].mean()
        assert loss["untrained"] > loss["trained"] > 0
        clips = parquet.read_table(study.folder / "results/stimuli/sung.parquet")
        assert len(clips) == 4
        told = parquet.read_table(study.folder / "results/tables/songs.parquet")
        assert set(clips["song"]) <= set(told[told["split"] == "valid"]["song"])
        assert study.planned(*targets) == {}
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
