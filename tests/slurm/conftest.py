"""A SLURM cluster of two nodes on this machine, up while these tests run."""

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from subprocess import getoutput

import pytest

SCRIPT = Path(__file__).with_name("cluster")


def read(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Cluster:
    """What the tests ask of SLURM."""

    profile = (  # most jobs have ended when it first asks
        *("--cores", "8", "--profile", "slurm"),
        *("--slurm-init-seconds-before-status-checks", "2"),
    )

    def jobs(self, study):
        """All SLURM jobs of a study in the order of their numbers, finished or not."""
        jobs = []
        for line in read(["scontrol", "--oneliner", "show", "job"]).splitlines():
            job = dict(re.findall(r"(\w+)=(.*?)(?= +[\w:/]+=| *$)", line))
            if job.get("StdOut", "").startswith(f"{study.folder}/"):
                jobs.append(job)
        return sorted(jobs, key=lambda job: int(job["JobId"]))

    def wait(self, study, state, seconds=180):
        """The first job of a study, as soon as it is in this state."""
        for _ in range(10 * seconds):
            for job in self.jobs(study)[:1]:
                if job["JobState"] == state:
                    return job
            time.sleep(0.1)
        raise AssertionError(f"no job {state} within {seconds} s: {self.jobs(study)}")

    def control(self, *words):
        return read(["scontrol", *map(str, words)])

    @contextmanager
    def node(self, job, state):
        """Have the node of a job in this state for a while."""
        update = ["scontrol", "update", f"NodeName={job['NodeList']}", "Reason=test"]
        read([*update, f"State={state}"])
        try:
            yield
        finally:  # a node that is well again already is no error
            subprocess.run([*update, "State=RESUME"], capture_output=True)

    def cancel(self, job):
        read(["scancel", job["JobId"]])

    def stop(self, job):
        """Make a job hang: stop its processes (going on only when SLURM ends them)."""
        lines = self.control("listpids", job["JobId"]).splitlines()[1:]
        for line in lines:
            os.kill(int(line.split()[0]), signal.SIGSTOP)


def of_somebody_else():
    """Whether a SLURM is at work here that is not one of these tests."""
    config = Path("/etc/slurm/slurm.conf")
    ours = config.exists() and "ClusterName=rasen-test" in config.read_text()
    return not ours and shutil.which("scontrol") and "is UP" in getoutput("scontrol ping")


@pytest.fixture(scope="session")
def cluster():
    release = Path("/etc/os-release")
    debian = release.exists() and re.search("^ID(_LIKE)?=.*debian", release.read_text(), re.M)
    if os.geteuid() != 0 or not debian:
        pytest.skip("needs root on Debian or Ubuntu, to install and start SLURM")
    with open("/run/rasen-slurm.lock", "w") as lock:
        flock(lock, LOCK_EX)  # a machine has one cluster: wait for others who test
        if of_somebody_else():
            pytest.skip("this machine belongs to a SLURM cluster already")
        try:
            subprocess.run([SCRIPT, "up"], check=True, stdin=subprocess.DEVNULL)
            yield Cluster()
        finally:
            subprocess.run([SCRIPT, "down"], check=True)
