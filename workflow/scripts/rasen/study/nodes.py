"""Training runs on several nodes of a cluster: what SLURM is asked for, who cannot have them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

CLUSTER = "slurm"  # the executor that gives a job several nodes


def node_resources(run: Mapping[str, Any], gpu: bool) -> dict[str, int | str]:
    """The resources by which a run's job gets its nodes; none for a run on one node.

    run: an entry of `songbloom.runs`; gpu: whether its processes have a GPU each
    """
    if run["nodes"] == 1:
        return {}
    asked: dict[str, int | str] = {
        "nodes": run["nodes"],
        "tasks": run["nodes"],
        "mpi": "srun",  # the job runs once, on the first node, and starts the tasks by itself
        "tasks_per_gpu": 0,  # else the executor takes `tasks` for it
    }
    if gpu:
        asked["gres"] = f"gpu:{run['processes']}"  # of each node; `gpu` would be of all together
    return asked


def refused_nodes(runs: Mapping[str, Any], jobs: Iterable[Any], executor: str) -> Iterator[str]:
    """Runs on several nodes among these jobs that cannot have them, each with its cure."""
    for job in jobs:
        if not job.resources.get("mpi"):
            continue
        run = runs[job.wildcards.run]
        place = f"config: songbloom.runs.{job.wildcards.run}.nodes: {run['nodes']}"
        if executor != CLUSTER:
            yield (
                f"{place} nodes are had from SLURM alone; run with `--profile slurm` and no other, "
                "or set nodes: 1"
            )
        elif model := job.resources.get("gpu_model"):
            yield (
                f"{place} nodes: gpu_model asks for one GPU; in the profile, give "
                f"{job.rule.name} `gres: gpu:{model}:{run['processes']}` in place of it"
            )
