"""Which failed jobs Snakemake tries again: not those whose reason will not change.

A job of ours that refuses its input says so in the last line of its log. More memory and time,
which every further attempt gets, cannot help there; a job that was killed leaves no such line.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

# in errors that a second attempt may not have: of the disk, of a GPU that others use, of a network
MAY_PASS = ("Error: [Errno", "Error: the GPU", " to be had from the hub ")
TAIL = 20_000  # bytes of a log that are read


def stop_vain_retries(jobs: ModuleType, begun: float) -> None:
    """Have `jobs` (snakemake.jobs) try no job again that failed for good since `begun` (a time)."""

    def of_job(job):
        return 0 if failed_for_good(job.log, begun) else job.rule.restart_times

    def of_group(group):
        if any(failed_for_good(job.log, begun) for job in group.jobs):
            return 0
        return max(job.restart_times for job in group.jobs)

    jobs.Job.restart_times = property(of_job)
    jobs.GroupJob.restart_times = property(of_group)


def failed_for_good(logs: Iterable[str], begun: float) -> bool:
    """Whether one of the logs ends with an error of ours that will not change by itself."""
    return any(_ends_for_good(Path(log), begun) for log in logs)


def _ends_for_good(log, begun):
    try:
        if log.stat().st_mtime < begun:  # of an earlier run
            return False
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return False
    while lines and (not lines[-1].strip() or lines[-1].startswith("  ")):
        lines.pop()  # an error of several lines has the later ones indented
    last = lines[-1] if lines else ""
    return last.startswith("Error: ") and not any(text in last for text in MAY_PASS)
