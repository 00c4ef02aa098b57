"""The small workflow through SLURM: the same tables, honest allocations, nothing lost in faults."""

import re
import shutil
import sqlite3
import time

import pytest
from study import Study

LOST = "results/perplexity/llama/trained.parquet"
TABLE = "results/tables/perplexity.parquet"


def copy(study, folder, *without):
    return Study(shutil.copytree(study.folder, folder, ignore=shutil.ignore_patterns(*without)))


@pytest.fixture(scope="session")
def through_slurm(cluster, fresh, tmp_path_factory):
    """The small workflow after one whole run on the cluster; the cluster's jobs of that run."""
    folder = tmp_path_factory.mktemp("study") / "on a cluster"
    study = copy(fresh, folder, "results", "logs", ".snakemake", "resources")
    # These go into no table: leaving them out saves a minute.
    study.edit(lambda config: config["models"]["nano"].update(activations=["notes"]))
    study.edit(lambda config: config["models"]["llama"].update(activations=[]))
    study.snakemake(*cluster.profile)
    return study, list(cluster.jobs().values())


@pytest.fixture
def study(cluster, finished, tmp_path):
    """A finished study that one result of one job, and the table made of it, are taken from."""
    study = copy(finished, tmp_path / "a folder")
    with sqlite3.connect(study.folder / "results/.provenance.sqlite") as database:
        # Snakemake files what it knows under the absolute path of the working directory.
        home = str(study.folder / ".snakemake")
        database.execute("update snakemake_metadata set namespace = ?", [home])
        database.execute("delete from snakemake_metadata where target in (?, ?)", [LOST, TABLE])
    for name in (LOST, TABLE):
        (study.folder / name).unlink()
    return study


def begin(study, cluster, *targets):
    """Start a run on the cluster; its process, and the number of the job that measures, running."""
    before = cluster.last()
    log = study.folder / "logs/measure_perplexity/llama/trained.log"
    log.unlink()
    process = study.start(*cluster.profile, *targets)
    number = cluster.wait(before, "RUNNING")
    for _ in range(600):
        if log.exists():
            return process, number
        time.sleep(0.1)
    raise AssertionError(f"{log} is not begun within a minute")


def end(process):
    """Wait for the run, which must succeed; what it said."""
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


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


def assert_recovered(study, undisturbed):
    """A rerun here (runs here and on the cluster may alternate) makes what is missing."""
    study.snakemake(TABLE)
    assert study.tables == undisturbed.tables


# --- a whole run


def test_tables_are_those_of_a_local_run(through_slurm, cluster, finished):
    study, _ = through_slurm
    assert set(study.tables) == {
        f"{name}.parquet" for name in ("points", "gradient", "perplexity", "helix")
    }
    assert study.tables == finished.tables
    assert study.planned() == {}
    assert study.planned(*cluster.profile) == {}


def test_allocations_are_those_of_the_rules(through_slurm):
    """Few SLURM jobs: a group has the memory of its largest job and the time of all."""
    _, jobs = through_slurm
    allotted = {}
    for job in jobs:
        group = job["Comment"].removeprefix("rule_").partition("_")[0]
        allotted.setdefault(group, []).append((cpus(job), megabytes(job), minutes(job)))
    points = allotted.pop("points-nano")  # nine parts, so eight and one; who is left over is chance
    assert [point[:2] for point in points] == [(1, 2000), (1, 2000)]
    assert sum(minutes for *_, minutes in points) == 11 * 10
    assert allotted == {
        "stimuli": [(1, 1000, 4 * 10)],
        "train": [(1, 2000, 30)],
        "weights-nano": [(1, 2000, 2 * 30)],
        "weights-llama": [(1, 1500, 30)],
        "encode-nano": [(1, 2000, 3 * 10)],
        "encode-llama": [(1, 1500, 5)],
        "points-llama": [(1, 1500, 3 * 5)],
        "helix-nano": [(1, 2000, 6 * 30)],
        "tables": [(1, 1000, 6 * 10)],
    }


def test_points_on_a_gpu_share_one(study, cluster):
    """Three points, one SLURM job with one GPU. (They fail: torch sees that it is a toy.)"""
    study.edit(lambda config: config["models"]["llama"].update(device="cuda", threads=3))
    targets = [f"results/perplexity/llama/{p}.parquet" for p in ("untrained", "linear-0.500")]
    for target in targets:
        (study.folder / target).unlink()
    before = cluster.last()
    site = [f"measure_perplexity:{key}" for key in ("slurm_partition=gpu", "gpu_model=toy")]
    site = ["--set-resources", *site, "--retries", "0", "--"]
    study.start(*cluster.profile, *site, LOST, *targets).communicate()
    (job,) = cluster.jobs(before).values()
    assert (cpus(job), megabytes(job), minutes(job)) == (3, 1500, 3 * 5)
    assert job["TresPerJob"] == "gres:gpu:toy:1"
    assert (job["Partition"], job["NodeList"]) == ("gpu", "n1")


# --- faults


def test_over_memory(study, cluster, finished):
    study.edit(lambda config: config["models"]["llama"].update(memory=600))
    process, number = begin(study, cluster, LOST)
    end(process)
    assert attempts(cluster, number) == [("FAILED", 600, 5), ("COMPLETED", 1200, 10)]
    (log,) = (study.folder / ".snakemake/slurm_logs").rglob(f"{number}.log")
    assert "exceeded memory limit" in log.read_text()
    assert_recovered(study, finished)


def test_over_time(study, cluster, finished):
    process, number = begin(study, cluster, LOST)
    cluster.stop(number)
    cluster.control("update", f"JobId={number}", "EndTime=now")
    end(process)
    first, second = attempts(cluster, number)
    assert first[:2] == ("TIMEOUT", 1500)
    assert second == ("COMPLETED", 3000, 10)
    assert_recovered(study, finished)


def test_node_drained(study, cluster, finished):
    """Its job ends in peace; the next one goes elsewhere."""
    process, number = begin(study, cluster, TABLE)
    node = cluster.jobs(number - 1)[number]["NodeList"]
    cluster.node(node, "DRAIN")
    try:
        end(process)
    finally:
        cluster.node(node, "RESUME")
    measured, gathered = cluster.jobs(number - 1).values()
    assert measured["JobState"] == gathered["JobState"] == "COMPLETED"
    assert measured["NodeList"] == node != gathered["NodeList"]
    assert_recovered(study, finished)


def test_node_lost(study, cluster, finished):
    process, number = begin(study, cluster, LOST)
    cluster.node(cluster.jobs(number - 1)[number]["NodeList"], "DOWN")
    end(process)
    assert [state for state, *_ in attempts(cluster, number)] == ["NODE_FAIL", "COMPLETED"]
    assert_recovered(study, finished)


def test_job_cancelled(study, cluster, finished):
    process, number = begin(study, cluster, LOST)
    cluster.cancel(number)
    end(process)
    assert [state for state, *_ in attempts(cluster, number)] == ["CANCELLED", "COMPLETED"]
    assert_recovered(study, finished)


def test_snakemake_killed(study, cluster, finished):
    """Its jobs go on. Then a rerun says what to do, and all that is to be known is recorded."""
    process, number = begin(study, cluster, LOST)
    process.kill()
    process.communicate()
    cluster.wait(number - 1, "COMPLETED")
    assert "--unlock" in study.snakemake(*cluster.profile, LOST, ok=False)
    study.snakemake("--unlock")
    assert_recovered(study, finished)
    assert "missing metadata" not in study.snakemake("--dry-run", TABLE)
