"""A training run on two nodes of a SLURM cluster: the losses of one process, also after a kill."""

import os
import signal
import time
from copy import deepcopy
from pathlib import Path

import pytest
from allocations import cpus, megabytes
from songbloom_study import RUN, noise_songs

from rasen.io import parquet

SHORT = {"steps": 12, "batch": 4, "save": 2, "validate": 6, "keep": [], "at_once": 1}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Songs, and a run that one process of this machine trained."""
    study = noise_songs(tmp_path_factory.mktemp("songbloom"), "one")
    study.edit(lambda config: config["songbloom"]["runs"]["one"]["train"].update(SHORT))
    study.snakemake("results/songbloom/one/weights")
    return study


def add_run(study, name, **changes):
    """One more run; the place of its table."""
    run = deepcopy(RUN) | {"nodes": 2, "memory": 4000, "runtime": 10} | changes
    run["train"] |= SHORT
    study.edit(lambda config: config["songbloom"]["runs"].update({name: run}))
    return f"results/songbloom/{name}/training.parquet"


def jobs_of(cluster, study, name):
    """The SLURM jobs that trained a run."""
    comment = f"rule_train_songbloom_wildcards_{name}"
    return [job for job in cluster.jobs(study) if job["Comment"] == comment]


def assert_losses_of_one_process(study, name):
    one, two = (
        parquet.read_table(study.folder / f"results/songbloom/{run}/training.parquet")
        for run in ("one", name)
    )
    assert two["step"].tolist() == one["step"].tolist()
    for column in ("loss", "lm", "flow"):
        assert two[column].to_numpy() == pytest.approx(one[column].to_numpy(), rel=1e-5)


def test_two_nodes_have_the_losses_of_one_process(study, cluster):
    target = add_run(study, "two")
    study.snakemake(*cluster.profile, target)
    assert_losses_of_one_process(study, "two")
    (job,) = jobs_of(cluster, study, "two")
    assert job["JobState"] == "COMPLETED"
    assert (job["NumNodes"], job["NodeList"]) == ("2", "n[1-2]")
    assert (cpus(job), megabytes(job)) == (2, 2 * 4000)
    assert study.planned(target) == {}


def workers(name):
    """Processes that train a run, by their ranks."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_text()
            environment = (entry / "environ").read_text().split("\0")
        except OSError:  # it ended meanwhile
            continue
        ranks = [word for word in environment if word.startswith("RANK=")]
        if ranks and "train_songbloom.py" in command and f"--run\0{name}\0" in command:
            found[int(ranks[0].removeprefix("RANK="))] = int(entry.name)
    return found


def test_a_process_that_dies_ends_all_and_the_run_goes_on(study, cluster):
    """The last process of two nodes with two each is killed; SLURM's next job goes on."""
    target = add_run(study, "killed", processes=2)
    process = study.start(*cluster.profile, target)
    try:
        state = study.folder / "results/songbloom/killed/state"
        for _ in range(1800):
            if any(path.suffix != ".partial" for path in state.glob("step-*")):
                break
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.1)
        before = workers("killed")
        assert set(before) == {0, 1, 2, 3}
        os.kill(before[3], signal.SIGKILL)
        for _ in range(300):
            if not {*before.values()} & {*workers("killed").values()}:
                break
            time.sleep(0.1)
        assert not {*before.values()} & {*workers("killed").values()}
        output, _ = process.communicate()
        assert process.returncode == 0, output
    finally:
        process.kill()
    states = [job["JobState"] for job in jobs_of(cluster, study, "killed")]
    assert states == ["FAILED", "COMPLETED"]
    assert_losses_of_one_process(study, "killed")


def test_every_node_has_a_gpu_for_each_process(study, cluster):
    target = add_run(study, "gpus", device="cuda", processes=2)
    process = study.start(*cluster.profile, "--retries", "0", "--", target)
    try:
        jobs = []
        while not jobs or jobs[0]["JobState"] == "PENDING":
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.1)
            jobs = jobs_of(cluster, study, "gpus")
    finally:
        process.kill()
    cluster.cancel(jobs[0])
    assert jobs[0]["TresPerNode"] in ("gres:gpu:2", "gres/gpu:2")
    assert (jobs[0]["NodeList"], cpus(jobs[0])) == ("n[1-2]", 4)
