"""Three families in two environments through SLURM: the tables of a local run."""

import pytest
from families_study import three_families
from study import end

TABLES = {"points", "probes", "similarity", "lens"}


@pytest.fixture(scope="module")
def runs(cluster, tmp_path_factory):
    """The same study on this machine and on the cluster: (local, study, its SLURM jobs)."""
    folder = tmp_path_factory.mktemp("families")
    here, there = (three_families(folder / name) for name in ("here", "on a cluster"))
    process = here.start("probes")
    try:
        there.snakemake(*cluster.profile, "probes")
        end(process)
    finally:
        process.kill()
    return here, there, cluster.jobs(there)


def test_probes_have_the_tables_of_a_local_run(runs, cluster):
    local, study, _ = runs
    assert {name.removesuffix(".parquet") for name in study.tables} == TABLES
    assert study.tables == local.tables
    assert study.planned("probes") == {}
    assert study.planned(*cluster.profile, "probes") == {}


def test_few_slurm_jobs_end_well(runs):
    """Every model's points are a job or two, its probes too, whatever its environment."""
    *_, jobs = runs
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert len(jobs) <= 24, [job["Comment"] for job in jobs]
