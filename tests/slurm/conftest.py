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

    profile = (  # asks more often than a real cluster would like
        *("--cores", "8", "--profile", "slurm"),
        *("--slurm-init-seconds-before-status-checks", "2"),
    )

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

    def wait(self, after, *states, seconds=90):
        """The number of the first job above `after` that is in one of these states."""
        for _ in range(10 * seconds):
            for number, job in self.jobs(after).items():
                if job["JobState"] in states:
                    return number
            time.sleep(0.1)
        raise AssertionError(f"no job {states} within {seconds} s: {self.jobs(after)}")

    def control(self, *words):
        return read(["scontrol", *map(str, words)])

    @contextmanager
    def node(self, name, state):
        """Have a node in this state for a while."""
        update = ["scontrol", "update", f"NodeName={name}", "Reason=test"]
        read([*update, f"State={state}"])
        try:
            yield
        finally:  # a node that is well again already is no error
            subprocess.run([*update, "State=RESUME"], capture_output=True)

    def cancel(self, number):
        read(["scancel", str(number)])

    def stop(self, number):
        """Make a job hang: stop its processes (going on only when SLURM ends them)."""
        lines = self.control("listpids", number).splitlines()[1:]
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
    with open("/var/lock/rasen-slurm", "w") as lock:
        flock(lock, LOCK_EX)  # a machine has one cluster: wait for others who test
        if of_somebody_else():
            pytest.skip("this machine belongs to a SLURM cluster already")
        try:
            subprocess.run([SCRIPT, "up"], check=True, stdin=subprocess.DEVNULL)
            yield Cluster()
        finally:
            subprocess.run([SCRIPT, "down"], check=True)
