"""Have submitted jobs deleted that have not ended."""

from rasen import command
from rasen.study.cluster_jobs import cancel, parse_job


def cancel_jobs(jobs: list[str]) -> None:
    """Called by workflow/cluster/rasen-cancel.

    jobs: as submit_job printed them
    """
    cancel(map(parse_job, jobs))


if __name__ == "__main__":
    command.run(cancel_jobs)
