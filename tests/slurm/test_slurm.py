"""The small workflow through SLURM: the same tables, honest allocations, nothing lost in faults."""

import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from study import Study, fresh_study

HERE = Path(__file__).parent

LOST = "results/perplexity/llama/untrained.parquet"
TABLE = "results/tables/perplexity.parquet"


@pytest.fixture(scope="session")
def local(cluster, tmp_path_factory):
    """The workflow of these tests after one whole run on this machine."""
    study = fresh_study(tmp_path_factory.mktemp("study") / "a folder", HERE / "config")
    study.snakemake()
    return study


@pytest.fixture(scope="session")
def through_slurm(cluster, tmp_path_factory):
    """The same after one whole run on the cluster; the cluster's jobs of that run."""
    study = fresh_study(tmp_path_factory.mktemp("study") / "on a cluster", HERE / "config")
    before = cluster.last()
    study.snakemake(*cluster.profile)
    return study, list(cluster.jobs(before).values())


@pytest.fixture
def study(local, tmp_path):
    """A finished study that one result of one job, and the table made of it, are taken from."""
    study = Study(shutil.copytree(local.folder, tmp_path / "a folder"))
    for name in (LOST, TABLE):
        (study.folder / name).unlink()
    return study


@pytest.fixture
def begin(study, cluster):
    """Start a run on the cluster; its process, and the number of the job that measures, running."""
    processes = []

    def begin(*targets):
        before = cluster.last()
        log = study.folder / "logs/measure_perplexity/llama/untrained.log"
        log.unlink()
        process = study.start(*cluster.profile, *targets)
        processes.append(process)
        number = cluster.wait(before, "RUNNING")
        for _ in range(1800):
            if log.exists():
                return process, number
            time.sleep(0.1)
        raise AssertionError(f"{log} is not begun within three minutes")

    yield begin
    for process in processes:
        process.kill()  # where the test failed; one that has ended is no error


def end(process):
    """Wait for the run, which must succeed; what it said."""
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


def forget(study, name):
    """Take Snakemake's record of a result away, so that what is found later is a new one."""
    with closing(sqlite3.connect(study.folder / "results/.provenance.sqlite")) as base, base:
        assert base.execute("delete from snakemake_metadata where target = ?", [name]).rowcount


def attempts(cluster, first):
    """(state, memory in MB, minutes) of every SLURM job from number `first` on."""
    return [
        (job["JobState"], megabytes(job), minutes(job)) for job in cluster.jobs(first - 1).values()
    ]


def cpus(job):
    return int(job["NumCPUs"])


def megabytes(job):
    return int(re.search(r"mem=(\d+)M", job["TRES"])[1])


def minutes(job):
    hours, minutes, _ = job["TimeLimit"].split(":")
    return 60 * int(hours) + int(minutes)


def assert_recovered(study, undisturbed, name=LOST):
    assert (study.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()


# --- a whole run


def test_tables_are_those_of_a_local_run(through_slurm, cluster, local):
    study, _ = through_slurm
    assert set(study.tables) == {
        f"{name}.parquet" for name in ("points", "gradient", "perplexity", "helix")
    }
    assert study.tables == local.tables
    assert study.planned() == {}
    assert study.planned(*cluster.profile) == {}


def test_allocations_are_those_of_the_rules(through_slurm):
    """Few SLURM jobs: a group has the memory of its largest job and the time of all."""
    _, jobs = through_slurm
    allotted = {}
    for job in jobs:
        group = job["Comment"].removeprefix("rule_").partition("_")[0]
        allotted.setdefault(group, []).append((cpus(job), megabytes(job), minutes(job)))
    assert allotted == {
        "stimuli": [(1, 1000, 2 * 10)],
        "train": [(1, 2000, 30)],
        "weights-nano": [(1, 2000, 30)],
        "weights-llama": [(1, 1500, 30)],
        "encode-nano": [(1, 2000, 10)],
        "encode-llama": [(1, 1500, 5)],
        "points-nano": [(1, 2000, 4 * 10)],
        "points-llama": [(1, 1500, 2 * 5)],
        "helix-nano": [(1, 2000, 4 * 30)],
        "tables": [(1, 1000, 5 * 10)],
    }


def test_points_on_a_gpu_share_one(study, cluster):
    """Two points, one SLURM job with one GPU. (They fail: torch sees that it is a toy.)"""
    study.edit(lambda config: config["models"]["llama"].update(device="cuda", threads=3))
    other = LOST.replace("untrained", "trained")
    (study.folder / other).unlink()
    before = cluster.last()
    site = [f"measure_perplexity:{key}" for key in ("slurm_partition=gpu", "gpu_model=toy")]
    site = ["--set-resources", *site, "--retries", "0", "--"]
    study.start(*cluster.profile, *site, LOST, other).communicate()
    (job,) = cluster.jobs(before).values()
    assert (cpus(job), megabytes(job), minutes(job)) == (3, 1500, 2 * 5)
    assert job["TresPerJob"] == "gres:gpu:toy:1"
    assert (job["Partition"], job["NodeList"]) == ("gpu", "n1")


# --- faults


def test_over_memory(study, cluster, begin, local):
    study.edit(lambda config: config["models"]["llama"].update(memory=600))
    process, number = begin(LOST)
    end(process)
    assert attempts(cluster, number) == [("FAILED", 600, 5), ("COMPLETED", 1200, 10)]
    (log,) = (study.folder / ".snakemake/slurm_logs").rglob(f"{number}.log")
    assert "exceeded memory limit" in log.read_text()
    assert_recovered(study, local)


def test_over_time(study, cluster, begin, local):
    process, number = begin(LOST)
    cluster.stop(number)
    cluster.control("update", f"JobId={number}", "EndTime=now")
    end(process)
    first, second = attempts(cluster, number)
    assert first[:2] == ("TIMEOUT", 1500)
    assert second == ("COMPLETED", 3000, 10)
    assert_recovered(study, local)


def test_node_drained(study, cluster, begin, local):
    """Its job ends in peace; the next one goes elsewhere."""
    process, number = begin(TABLE)
    with cluster.node(cluster.jobs()[number]["NodeList"], "DRAIN"):
        end(process)
    measured, gathered = cluster.jobs(number - 1).values()
    assert measured["JobState"] == gathered["JobState"] == "COMPLETED"
    assert measured["NodeList"] != gathered["NodeList"]
    assert_recovered(study, local, TABLE)


def test_node_lost(study, cluster, begin, local):
    process, number = begin(LOST)
    with cluster.node(cluster.jobs()[number]["NodeList"], "DOWN"):
        end(process)
    assert [state for state, *_ in attempts(cluster, number)] == ["NODE_FAIL", "COMPLETED"]
    assert_recovered(study, local)


def test_job_cancelled(study, cluster, begin, local):
    process, number = begin(LOST)
    cluster.cancel(number)
    end(process)
    assert [state for state, *_ in attempts(cluster, number)] == ["CANCELLED", "COMPLETED"]
    assert_recovered(study, local)


def test_snakemake_killed(study, cluster, begin, local):
    """Its jobs go on. A rerun says what to do, and edits afterwards rerun what depends on them."""
    forget(study, LOST)
    process, number = begin(LOST)
    process.kill()
    process.communicate()
    cluster.wait(number - 1, "COMPLETED")
    assert_recovered(study, local)
    assert "--unlock" in study.snakemake(*cluster.profile, TABLE, ok=False)
    study.snakemake("--unlock")
    assert study.planned(TABLE) == {"gather_perplexity": 1}
    study.snakemake(TABLE)
    assert_recovered(study, local, TABLE)
    study.edit(lambda config: config["models"]["llama"].update(initial={"rule": "hf", "seed": 2}))
    assert study.planned(TABLE) == {"measure_perplexity": 1, "gather_perplexity": 1}
