"""The real workflow on tests/small, in a folder of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import yaml

HOUSE = Path(__file__).parents[2]
TARGETS = ("all", "perplexity", "helix")  # rules without a job of their own


class Study:
    """A working directory with a config, in which Snakemake runs the checkout's Snakefile."""

    def __init__(self, folder):
        self.folder = folder

    def snakemake(self, *arguments, ok=True):
        """Run Snakemake; its whole output."""
        command = [
            Path(sys.executable).with_name("snakemake"), "--snakefile", HOUSE / "Snakefile",
            "--directory", self.folder, "--cores", "2", *arguments,
        ]  # fmt: skip
        done = subprocess.run(
            command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=HOUSE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert (done.returncode == 0) == ok, done.stdout
        return done.stdout

    def planned(self, *arguments):
        """{rule: number of jobs} of a dry run."""
        output = self.snakemake("--dry-run", *arguments)
        table = re.search(r"^job +count\n[- ]+\n(.*?)^total", output, re.M | re.S)
        rows = table[1].splitlines() if table else []
        jobs = {row.split()[0]: int(row.split()[1]) for row in rows}
        return {rule: count for rule, count in jobs.items() if rule not in TARGETS}

    @property
    def config(self):
        return yaml.safe_load((self.folder / "config/config.yaml").read_text())

    def edit(self, change):
        """Change the config with a function of it; returns a function that changes it back."""
        path = self.folder / "config/config.yaml"
        before = path.read_text()
        config = self.config
        change(config)
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return lambda: path.write_text(before)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """Config and inputs, nothing run."""
    folder = tmp_path_factory.mktemp("study") / "a folder"  # a space, as users have
    shutil.copytree(HOUSE / "tests/small/config", folder / "config")
    tiny.small_workflow(folder)
    return Study(folder)


@pytest.fixture(scope="session")
def finished(fresh):
    """The same after one whole run."""
    fresh.output = fresh.snakemake()
    return fresh


@pytest.fixture
def other(fresh, tmp_path):
    """A copy of the inputs without any results."""
    made = shutil.ignore_patterns("results", "logs", ".snakemake", "resources")
    shutil.copytree(fresh.folder, tmp_path, dirs_exist_ok=True, ignore=made)
    return Study(tmp_path)
