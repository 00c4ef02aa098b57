"""The processes of a run on one machine: its script once more in each, by torchrun."""

import ctypes
import os
import signal
import subprocess
import sys

from rasen.device import flush_subnormals, pick_device

PR_SET_PDEATHSIG = 1  # of Linux: a signal when the parent ends


def launch(processes: int, device: str) -> int:
    """Run the present command line in so many processes, with a GPU each; the exit status.

    They end with this one, even where it is killed: left over, they would hold GPUs and write on.
    """
    pick_device(device, processes)  # takes the GPUs, which the processes then see
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(processes), "--"),  # what follows is ours
            *sys.argv,
        ],
        preexec_fn=_end_with_parent,
        check=False,
    ).returncode


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


def _end_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
