"""The small workflow through SLURM: the same tables, honest allocations, nothing lost in faults."""

import re
import shutil
import sqlite3
import time

import pytest
from conftest import PROFILE
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
    study.snakemake(*PROFILE)
    return study, list(cluster.jobs().values())


@pytest.fixture
def study(cluster, finished, tmp_path):
    """A finished study that one result of one job, and the table made of it, are taken from."""
    study = copy(finished, tmp_path / "a folder")
    with sqlite3.connect(study.folder / "results/.provenance.sqlite") as database:
        # Snakemake files what it knows under the absolute path of the working directory.
        home = str(study.folder / ".snakemake")
        database.execute("update snakemake_metadata set namespace = ?", [home])
    for name in (LOST, TABLE):
        (study.folder / name).unlink()
    return study


def begin(study, cluster, *targets):
    """Start a run on the cluster; its process, and the number of the job that measures, running."""
    before = cluster.last()
    log = study.folder / "logs/measure_perplexity/llama/trained.log"
    log.unlink()
    process = study.start(*PROFILE, *targets)
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
    assert study.planned(TABLE) == {}


# --- a whole run


def test_tables_are_those_of_a_local_run(through_slurm, finished):
    study, _ = through_slurm
    assert set(study.tables) == {
        f"{name}.parquet" for name in ("points", "gradient", "perplexity", "helix")
    }
    assert study.tables == finished.tables
    assert study.planned() == {}
    assert study.planned(*PROFILE) == {}


def test_allocations_are_those_of_the_rules(through_slurm):
    """51 jobs in 11 SLURM jobs; a group has the memory of one job and the time of all."""
    _, jobs = through_slurm
    allotted = {}
    for job in jobs:
        name = job["Comment"].removeprefix("rule_")
        allotted.setdefault(name, []).append((cpus(job), megabytes(job), minutes(job)))
    points = allotted.pop("points-nano_dump_activations_measure_perplexity")
    points += allotted.pop("points-nano_correct_gradient_dump_activations_measure_perplexity")
    assert [p[:2] for p in points] == [(1, 2000), (1, 2000)]
    assert sum(minutes for *_, minutes in points) == 16 * 10
    tables = "tables_gather_gradient_gather_helix_gather_perplexity_plot_helix_plot_perplexity"
    assert allotted == {
        "stimuli_list_stimuli": [(1, 1000, 5 * 10)],
        "train_nano": [(1, 2000, 30)],
        "weights-nano_check_weights": [(1, 2000, 2 * 30)],
        "weights-llama_check_weights": [(1, 1500, 30)],
        "encode-nano_encode_stimuli": [(1, 2000, 4 * 10)],
        "encode-llama_encode_stimuli": [(1, 1500, 5)],
        "points-llama_dump_activations_measure_perplexity": [(1, 1500, 6 * 5)],
        "helix-nano_fit_baselines_fit_helix": [(1, 2000, 6 * 30)],
        tables: [(1, 1000, 6 * 10)],
    }


def test_points_on_a_gpu_share_one(study, cluster):
    """Three points, one SLURM job with one GPU. (They fail: torch sees that it is a toy.)"""
    study.edit(lambda config: config["models"]["llama"].update(device="cuda", threads=3))
    targets = [f"results/perplexity/llama/{p}.parquet" for p in ("untrained", "linear-0.500")]
    for target in targets:
        (study.folder / target).unlink()
    before = cluster.last()
    on_gpus = ["--set-resources", "measure_perplexity:slurm_partition=gpu", "--retries", "0"]
    study.start(*PROFILE, *on_gpus, "--", LOST, *targets).communicate()
    (job,) = cluster.jobs(before).values()
    assert (cpus(job), megabytes(job), minutes(job)) == (3, 1500, 3 * 5)
    assert "gres/gpu=1" in job["TRES"]
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
    """SLURM starts its job again elsewhere, or says that it failed and Snakemake does."""
    process, number = begin(study, cluster, LOST)
    node = cluster.jobs(number - 1)[number]["NodeList"]
    cluster.node(node, "DOWN")
    cluster.wait(number - 1, "PENDING", "FAILED", "NODE_FAIL")
    if cluster.jobs(number - 1)[number]["JobState"] == "PENDING":
        # SLURM would let two minutes pass.
        cluster.control("update", f"JobId={number}", "StartTime=now")
    try:
        end(process)
    finally:
        cluster.node(node, "RESUME")
    *_, job = cluster.jobs(number - 1).values()
    assert job["JobState"] == "COMPLETED"
    assert job["NodeList"] != node
    assert_recovered(study, finished)


def test_job_cancelled(study, cluster, finished):
    process, number = begin(study, cluster, LOST)
    cluster.cancel(number)
    end(process)
    assert [state for state, *_ in attempts(cluster, number)] == ["CANCELLED", "COMPLETED"]
    assert_recovered(study, finished)


def test_snakemake_killed(study, cluster, finished):
    """Its jobs go on. Then a rerun says what to do, and sees later edits of what they made."""
    process, number = begin(study, cluster, LOST)
    process.kill()
    process.communicate()
    cluster.wait(number - 1, "COMPLETED")
    assert "--unlock" in study.snakemake(*PROFILE, LOST, ok=False)
    study.snakemake("--unlock")
    assert_recovered(study, finished)
    study.edit(lambda config: config["models"]["llama"].update(window=12))
    assert study.planned(TABLE)["measure_perplexity"] == 3
