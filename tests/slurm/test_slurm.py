"""The small workflow through SLURM: the same tables, honest allocations, nothing lost in faults."""

import shutil

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
    for name in (LOST, TABLE):
        (study.folder / name).unlink()
    return study


def assert_recovered(study, undisturbed):
    """A rerun here (runs here and on the cluster may alternate) makes what is missing."""
    study.snakemake(TABLE)
    assert study.tables == undisturbed.tables
    assert study.planned(TABLE) == {}


def test_tables_are_those_of_a_local_run(through_slurm, finished):
    study, _ = through_slurm
    assert set(study.tables) == {
        f"{t}.parquet" for t in ("points", "gradient", "perplexity", "helix")
    }
    assert study.tables == finished.tables
    assert study.planned() == {}
    assert study.planned(*PROFILE) == {}
