"""Print whether a submitted job is `running`, a `success` or `failed`."""

from rasen import command
from rasen.study.cluster_jobs import Limits, parse_job, status


def ask_for_job(job: str, limits: Limits) -> None:
    """Called by workflow/cluster/rasen-status.

    job: as submit_job printed it
    """
    print(status(parse_job(job), limits))


if __name__ == "__main__":
    command.run(ask_for_job)
