"""How Snakemake asks SLURM for the state of jobs: decided once, whatever a busy controller does.

Before every look at the jobs the plugin asks `scontrol` how long SLURM remembers ended jobs, for at
most ten seconds. Without an answer it takes `sacct` instead of the `squeue` of slurm/profile.yaml;
where no accounting runs, `sacct` knows no job, and a run waits for ever.
"""

from types import ModuleType

DEFAULT_AGE = 300  # seconds for which SLURM remembers a job unless its administrator says otherwise


def settle_status_command(plugin: ModuleType) -> None:
    """Have `plugin` (snakemake_executor_plugin_slurm) keep the first answer of `scontrol`."""
    ask = plugin.get_min_job_age
    answers: list[int] = []

    def min_job_age() -> int:
        if not answers:
            age = ask()
            if age is None:
                return DEFAULT_AGE
            answers.append(age)
        return answers[0]

    plugin.get_min_job_age = min_job_age  # type: ignore[attr-defined]
