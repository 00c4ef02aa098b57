"""Training runs on several nodes: what SLURM is asked for, what is refused before a job starts."""

from types import SimpleNamespace

from rasen.study.nodes import node_resources, refused_nodes


def jobs(run, gpu, **more):
    """The job of the run `big` and one of another rule, as Snakemake has them."""
    of_run = SimpleNamespace(
        rule=SimpleNamespace(name="train_songbloom"),
        wildcards=SimpleNamespace(run="big"),
        resources={**node_resources(run, gpu), **more},
    )
    other = SimpleNamespace(wildcards=SimpleNamespace(model="m"), resources={"mem_mb": 1000})
    return [other, of_run]


def test_one_node_asks_for_nothing_and_is_had_anywhere():
    run = {"nodes": 1, "processes": 8}
    assert node_resources(run, gpu=True) == {}
    assert [*refused_nodes({"big": run}, jobs(run, True, gpu_model="a100"), "local")] == []


def test_every_node_has_the_gpus_of_its_processes():
    run = {"nodes": 2, "processes": 8}
    on_cpus = {"nodes": 2, "tasks": 2, "mpi": "srun", "tasks_per_gpu": 0}
    assert node_resources(run, gpu=False) == on_cpus
    assert node_resources(run, gpu=True) == on_cpus | {"gres": "gpu:8"}
    assert [*refused_nodes({"big": run}, jobs(run, True), "slurm")] == []


def test_nodes_that_cannot_be_had_are_refused_with_the_cure():
    run = {"nodes": 2, "processes": 8}
    for executor in ("local", "cluster-generic"):
        (told,) = refused_nodes({"big": run}, jobs(run, False), executor)
        assert told.startswith("config: songbloom.runs.big.nodes: 2 nodes are had from SLURM alone")
        assert "with `--profile slurm` and no other" in told
    (told,) = refused_nodes({"big": run}, jobs(run, True, gpu_model="a100"), "slurm")
    assert "give train_songbloom `gres: gpu:a100:8`" in told
