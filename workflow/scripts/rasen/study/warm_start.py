"""Jobs of a local run start from a process that has imported torch and the like (workflow/warm)."""

import os
import secrets
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from types import ModuleType

VARIABLE = "RASEN_WARM"


def offer_warm_start(variables: MutableMapping[str, str], local: bool) -> None:
    """Tell jobs of this run, by a variable, where such processes are: nowhere on a cluster's nodes.

    There a job has its memory measured out, and starts are no matter. `RASEN_WARM=no` does without.
    """
    if not local:
        variables[VARIABLE] = "no"
    elif variables.get(VARIABLE) != "no":
        folder = Path(tempfile.gettempdir()) / f"rasen-{secrets.token_hex(8)}"
        variables[VARIABLE] = f"{folder}:{os.getpid()}"


def count_warm_jobs(benchmark: ModuleType, psutil: ModuleType) -> None:
    """Have `benchmark` (snakemake.benchmark) count what is forked for a job among its processes."""
    begin = benchmark.BenchmarkTimer.__init__

    class Tree(psutil.Process):  # type: ignore[name-defined]
        def children(self, recursive=False):
            own = super().children(recursive)
            folder = Path(os.environ.get(VARIABLE, "").rpartition(":")[0])
            forked = []
            for process in own:
                try:
                    job = psutil.Process(int((folder / f"{process.pid}.job").read_text()))
                    forked += [job, *job.children(recursive=True)]
                except (OSError, ValueError, psutil.Error):
                    continue  # a process that is no client, or has ended
            return own + forked

    def begin_with_forked(timer, *arguments, **named):
        begin(timer, *arguments, **named)
        timer.main = Tree(timer.pid)

    benchmark.BenchmarkTimer.__init__ = begin_with_forked
