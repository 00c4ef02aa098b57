"""Snakemake's plugin for clusters without SLURM: where its commands are, and what Ctrl-C ends.

While it asks for its jobs, one after another, Snakemake's list of what to cancel is empty. With a
hundred jobs that is most of the time, and they would run on.
"""

import os
from pathlib import Path
from types import ModuleType


def settle_cluster(plugin: ModuleType, commands: Path) -> None:
    """Have `plugin` (snakemake_executor_plugin_cluster_generic) cancel these jobs, too.

    commands: folder of those that cluster/profile.yaml names, wherever the working directory is
    """
    os.environ["PATH"] += os.pathsep + str(commands)
    executor = plugin.Executor
    look, cancel = executor.check_active_jobs, executor.cancel_jobs

    async def check_active_jobs(self, active_jobs):
        self.looked_at = list(active_jobs)
        async for job in look(self, active_jobs):
            yield job

    def cancel_jobs(self, active_jobs):
        jobs = {job.external_jobid: job for job in [*getattr(self, "looked_at", []), *active_jobs]}
        cancel(self, list(jobs.values()))

    executor.check_active_jobs, executor.cancel_jobs = check_active_jobs, cancel_jobs
