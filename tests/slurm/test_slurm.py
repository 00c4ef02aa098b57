"""The small workflow through SLURM: the same tables, honest allocations, nothing lost in faults."""

import shutil
import time
from pathlib import Path

import pytest
from allocations import cpus, megabytes, minutes
from study import Study, end, fresh_study

HERE = Path(__file__).parent

LOST = "results/perplexity/llama/untrained.parquet"
TABLE = "results/tables/perplexity.parquet"


@pytest.fixture(scope="session")
def runs(cluster, tmp_path_factory):
    """The workflow of these tests run on this machine and, meanwhile, on the cluster."""
    folder = tmp_path_factory.mktemp("study")
    here, there = (fresh_study(folder / name, HERE / "config") for name in ("here", "on a cluster"))
    process = here.start()
    try:
        there.snakemake(*cluster.profile)
        end(process)
    finally:
        process.kill()
    return here, there, cluster.jobs(there)


@pytest.fixture(scope="session")
def local(runs):
    return runs[0]


@pytest.fixture
def study(local, tmp_path):
    """A finished study that one result of one job, and the table made of it, are taken from."""
    return spoilt(local, tmp_path / "a folder")


def spoilt(local, folder):
    study = Study(shutil.copytree(local.folder, folder))
    for name in (LOST, TABLE):
        (study.folder / name).unlink()
    return study


@pytest.fixture(scope="session")
def begin(cluster):
    """Start a run on the cluster; its process, and its first job, in the middle of its work."""
    processes = []

    def begin(study, *targets):
        log = study.folder / "logs/measure_perplexity/llama/untrained.log"
        log.unlink()
        process = study.start(*cluster.profile, *targets)
        processes.append(process)
        job = cluster.wait(study, "RUNNING")
        for _ in range(1800):
            if log.exists():
                return process, job
            time.sleep(0.1)
        raise AssertionError(f"{log} is not begun within three minutes")

    yield begin
    for process in processes:
        process.kill()  # where a test failed; one that has ended is no error


def needs_more_memory(cluster, job):
    """Nothing to be done: it asked for too little."""


def hangs(cluster, job):
    cluster.stop(job)
    cluster.control("update", f"JobId={job['JobId']}", "EndTime=now")


def loses_its_node(cluster, job):
    with cluster.node(job, "DOWN"):
        time.sleep(1)


def is_cancelled(cluster, job):
    cluster.cancel(job)


@pytest.fixture(scope="session")
def harmed(cluster, begin, local, tmp_path_factory):
    """{fault: study} of runs whose job met a fault. They wait for Snakemake to notice together."""
    studies, processes = {}, []
    for fault in (loses_its_node, needs_more_memory, hangs, is_cancelled):
        studies[fault] = study = spoilt(local, tmp_path_factory.mktemp("fault") / "a folder")
        if fault == needs_more_memory:
            study.edit(lambda config: config["models"]["llama"].update(memory=600))
        process, job = begin(study, LOST)
        fault(cluster, job)
        processes.append(process)
    for process in processes:
        end(process)
    return studies


def attempts(cluster, study):
    """(state, memory in MB, minutes) of every SLURM job of a study."""
    return [(job["JobState"], megabytes(job), minutes(job)) for job in cluster.jobs(study)]


def assert_recovered(study, undisturbed, name=LOST):
    assert (study.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()


# --- a whole run


def test_tables_are_those_of_a_local_run(runs, cluster):
    local, study, _ = runs
    assert set(study.tables) == {
        f"{name}.parquet"
        for name in (
            *("points", "gradient", "perplexity", "guessers"),
            *("helix", "helix_differences", "helix_slopes", "helix_peaks"),
            *("helix_notes", "helix_curves"),
        )
    }
    assert study.tables == local.tables
    assert study.planned() == {}
    assert study.planned(*cluster.profile) == {}


def test_allocations_are_those_of_the_rules(runs):
    """Few SLURM jobs: a group has the memory of its largest job and the time of all."""
    *_, jobs = runs
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
        "baselines-nano": [(1, 2000, 30)],
        "helix-nano": [(1, 2000, 3 * 30)],
        "tables": [(1, 2000, 7 * 10)],
    }


def test_points_on_a_gpu_share_one(study, cluster):
    """Two points, one SLURM job with one GPU."""
    study.edit(lambda config: config["models"]["llama"].update(device="cuda", threads=3))
    other = LOST.replace("untrained", "trained")
    (study.folder / other).unlink()
    site = [f"measure_perplexity:{key}" for key in ("slurm_partition=gpu", "gpu_model=toy")]
    site = ["--set-resources", *site, "--retries", "0", "--"]
    process = study.start(*cluster.profile, *site, LOST, other)
    try:
        cluster.wait(study, "RUNNING")
    finally:
        process.kill()
    (job,) = cluster.jobs(study)
    cluster.cancel(job)
    assert (cpus(job), megabytes(job), minutes(job)) == (3, 1500, 2 * 5)
    assert job["TresPerJob"] == "gres:gpu:toy:1"
    assert (job["Partition"], job["NodeList"]) == ("gpu", "n1")


# --- faults


def test_over_memory(harmed, cluster, local):
    study = harmed[needs_more_memory]
    assert attempts(cluster, study) == [("FAILED", 600, 5), ("COMPLETED", 1200, 10)]
    log = Path(cluster.jobs(study)[0]["StdOut"])
    assert "exceeded memory limit" in log.read_text()
    assert_recovered(study, local)


def test_over_time(harmed, cluster, local):
    first, second = attempts(cluster, harmed[hangs])
    assert first[:2] == ("TIMEOUT", 1500)
    assert second == ("COMPLETED", 3000, 10)
    assert_recovered(harmed[hangs], local)


def test_node_lost(harmed, cluster, local):
    states = [state for state, *_ in attempts(cluster, harmed[loses_its_node])]
    assert states == ["NODE_FAIL", "COMPLETED"]
    assert_recovered(harmed[loses_its_node], local)


def test_job_cancelled(harmed, cluster, local):
    states = [state for state, *_ in attempts(cluster, harmed[is_cancelled])]
    assert states == ["CANCELLED", "COMPLETED"]
    assert_recovered(harmed[is_cancelled], local)


def test_node_drained(study, cluster, begin, local):
    """Its job ends in peace; the next one goes elsewhere."""
    process, job = begin(study, TABLE)
    with cluster.node(job, "DRAIN"):
        end(process)
    measured, gathered = cluster.jobs(study)
    assert measured["JobState"] == gathered["JobState"] == "COMPLETED"
    assert measured["NodeList"] != gathered["NodeList"]
    assert_recovered(study, local, TABLE)


def test_config_edited_while_jobs_wait(study, cluster, begin, local):
    """They run as planned; the edit is for the next run."""
    process, _ = begin(study, TABLE)
    undo = study.edit(lambda config: config.update(seed=7))
    end(process)
    assert_recovered(study, local, TABLE)
    assert study.planned(TABLE) == {"gather_perplexity": 1}
    undo()
    assert study.planned(TABLE) == {}


def test_snakemake_killed(study, cluster, begin, local):
    """Its job goes on. A rerun says what to do and does it again, for nobody took notice of it."""
    process, _ = begin(study, LOST)
    process.kill()
    process.communicate()
    cluster.wait(study, "COMPLETED")
    assert_recovered(study, local)
    assert "--unlock" in study.snakemake(*cluster.profile, TABLE, ok=False)
    study.snakemake("--unlock")
    again = {"measure_perplexity": 1, "gather_perplexity": 1}
    assert study.planned(TABLE) == again
    study.snakemake(TABLE)
    assert_recovered(study, local, TABLE)
    assert study.planned(TABLE) == {}
    study.edit(lambda config: config["models"]["llama"].update(initial={"rule": "hf", "seed": 2}))
    assert study.planned(TABLE) == again
