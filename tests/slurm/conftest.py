"""A SLURM cluster of two nodes on this machine, up while these tests run."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("cluster")
# Asks more often than a real cluster would like.
PROFILE = ["--profile", "slurm", "--cores", "8", "--slurm-init-seconds-before-status-checks", "2"]


def read(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Cluster:
    """What the tests ask of SLURM."""

    def jobs(self, after=0):
        """{id: job} of all jobs with a number above `after`, finished or not."""
        jobs = {}
        for line in read(["scontrol", "--oneliner", "show", "job"]).splitlines():
            fields = dict(re.findall(r"(\w+)=(\S+)", line))
            if int(fields.get("JobId", 0)) > after:
                jobs[int(fields["JobId"])] = fields
        return jobs

    def last(self):
        return max(self.jobs(), default=0)

    def wait(self, after, state, what="", seconds=90):
        """The number of the first job above `after` in `state` whose comment names `what`."""
        for _ in range(10 * seconds):
            for number, job in self.jobs(after).items():
                if job["JobState"] == state and what in job["Comment"]:
                    return number
            time.sleep(0.1)
        raise AssertionError(f"no job {state} within {seconds} s: {self.jobs(after)}")

    def control(self, *words):
        return read(["scontrol", *map(str, words)])


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    release = Path("/etc/os-release")
    debian = release.exists() and re.search("^ID(_LIKE)?=.*debian", release.read_text(), re.M)
    if os.geteuid() != 0 or not debian:
        pytest.skip("needs root on Debian or Ubuntu, to install and start SLURM")
    folder = tmp_path_factory.mktemp("slurm")
    try:
        subprocess.run([SCRIPT, "up", folder], check=True, stdin=subprocess.DEVNULL)
        yield Cluster()
    finally:
        subprocess.run([SCRIPT, "down", folder], check=True)
