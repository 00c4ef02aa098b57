"""The small workflow, run once for all tests that look at it."""

import shutil

import pytest
from study import ROOT, Study, fresh_study


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """Config and inputs, nothing run."""
    return fresh_study(tmp_path_factory.mktemp("study") / "a folder", ROOT / "tests/small/config")


@pytest.fixture(scope="session")
def finished(fresh):
    """The same after one whole run."""

    fresh.snakemake()
    return fresh


@pytest.fixture
def other(fresh, tmp_path):
    """A copy of the inputs without any results."""
    made = shutil.ignore_patterns("results", "logs", ".snakemake", "resources")
    shutil.copytree(fresh.folder, tmp_path, dirs_exist_ok=True, ignore=made)
    return Study(tmp_path)
