"""The processes of a run on one machine: this script once more in each, by torchrun."""

import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1  # of Linux: a signal when the parent ends


def launch(processes: int) -> int:
    """Run the present command line in so many processes; its exit status.

    They end with this one, even where it is killed: left over, they would hold GPUs and write on.
    """
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(processes)),
            *sys.argv,
        ],
        preexec_fn=_end_with_parent,
        check=False,
    ).returncode


def end_with_launcher() -> None:
    """Called in each process: end when torchrun does."""
    if "RANK" in os.environ and sys.platform == "linux":
        _end_with_parent()


def _end_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
