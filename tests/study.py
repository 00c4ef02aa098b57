"""A working directory in which the tests run the checkout's real workflow."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tiny
import yaml

ROOT = Path(__file__).parents[1]
TARGETS = (
    "all",
    "perplexity",
    "helix",
    "sae",
    "sae_clips",
    "probes",
    "songs",
    "songbloom",
    "generated",
    "scores",
    "songbloom",
    "share",
    "explorer",
)  # rules without a job of their own


def profile_of_a_site():
    """The profile for SLURM with its example in use: rules on a GPU have their own partition."""
    text = (ROOT / "slurm/profile.yaml").read_text()
    return yaml.safe_load(re.sub(r"^# (?=set-resources:|  )", "", text, flags=re.M))


class Study:
    """A working directory with a config, in which Snakemake runs a checkout's Snakefile."""

    def __init__(self, folder, checkout=ROOT):
        self.folder = folder
        self.checkout = checkout

    def start(self, *arguments, env=None, **options):
        """Start Snakemake; its process."""
        command = [
            Path(sys.executable).with_name("snakemake"), "--snakefile", self.checkout / "Snakefile",
            "--directory", self.folder, "--cores", "2", *arguments,
        ]  # fmt: skip
        return subprocess.Popen(
            command, text=True, cwd=self.checkout,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | (env or {}),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
        )  # fmt: skip

    def snakemake(self, *arguments, ok=True):
        """Run Snakemake; its whole output."""
        process = self.start(*arguments)
        output, _ = process.communicate()
        assert (process.returncode == 0) == ok, output
        return output

    def planned(self, *arguments):
        """{rule: number of jobs} of a dry run."""
        output = self.snakemake("--dry-run", *arguments)
        table = re.search(r"^job +count\n[- ]+\n(.*?)^total", output, re.M | re.S)
        rows = table[1].splitlines() if table else []
        jobs = {row.split()[0]: int(row.split()[1]) for row in rows}
        return {rule: count for rule, count in jobs.items() if rule not in TARGETS}

    @property
    def tables(self):
        """{name: bytes} of the tables."""
        return {p.name: p.read_bytes() for p in (self.folder / "results/tables").glob("*.parquet")}

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


def end(process):
    """Wait for a run, which must succeed; what it said."""
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


def fresh_study(folder, config):
    """A study in `folder` (a space in its name, as users have) with inputs, nothing run."""
    shutil.copytree(config, folder / "config")
    tiny.small_workflow(folder)
    return Study(folder)
