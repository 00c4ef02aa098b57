"""Submit a job of Snakemake's to PBS, Torque, Grid Engine or LSF; print what it is known by."""

import shlex
from pathlib import Path

from rasen import command
from rasen.study.cluster_jobs import submit


def submit_job(scheduler: str, flags: str, jobscript: Path) -> None:
    """Called by workflow/cluster/rasen-submit.

    scheduler: pbs, torque, sge or lsf;  flags: more words for its command, quoted for a shell
    """
    print(submit(scheduler, [flag for flag in shlex.split(flags) if flag], jobscript))


if __name__ == "__main__":
    command.run(submit_job)
