"""The processes of a run: its script once more in each, by a torchrun on every node."""

import ctypes
import os
import signal
import subprocess
import sys

from rasen.device import flush_subnormals, pick_device

PR_SET_PDEATHSIG = 1  # of Linux: a signal when the parent ends
PORTS = range(15000, 30000)  # below those that systems give out


def launch(processes: int, device: str, nodes: int = 1) -> int:
    """Run the present command line in so many processes on each node, with a GPU each; the exit
    status.

    They end with this one, even where it is killed: left over, they would hold GPUs and write on.
    On several nodes this is the one process of a SLURM job, which runs itself on every node first.
    """
    if nodes > 1 and int(os.environ.get("SLURM_STEP_NUM_NODES", 1)) != nodes:
        return _run([*_on_every_node(nodes), sys.executable, *sys.argv])
    pick_device(device, processes)  # takes the GPUs, which the processes then see
    return _run(
        [
            *(sys.executable, "-m", "torch.distributed.run"),
            *(_meeting(nodes) if nodes > 1 else ["--standalone"]),
            *("--nproc-per-node", str(processes), "--"),  # what follows is ours
            *sys.argv,
        ]
    )


def launched() -> bool:
    """Whether this is one of those processes."""
    return "RANK" in os.environ


def device_of_process(wanted: str) -> str:
    """The device of one of those processes, which from now on ends when torchrun does."""
    import torch

    _end_with_parent()
    flush_subnormals()
    if wanted == "cpu" or not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ['LOCAL_RANK']}"


def _on_every_node(nodes):
    """`srun` of one task per node, which has all that the job has there; all end when one fails."""
    count = (f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1")
    return ["srun", *count, "--cpu-bind=none", "--kill-on-bad-exit=1"]


def _meeting(nodes):
    """What tells the torchrun of a task which node it is on, and where all meet: on the first."""
    job, node = int(os.environ["SLURM_JOB_ID"]), os.environ["SLURM_PROCID"]
    # srun was begun on the first node
    address, port = os.environ["SLURM_LAUNCH_NODE_IPADDR"], PORTS[job % len(PORTS)]
    return [
        *("--nnodes", str(nodes), "--node-rank", node),
        *("--master-addr", address, "--master-port", str(port)),
    ]


def _run(command):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent, check=False
    ).returncode


def _end_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
