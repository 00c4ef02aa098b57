"""How PBS, Torque, Grid Engine and LSF are given a job, asked for it, and have it cancelled.

The three commands of cluster/profile.yaml speak to a scheduler through an entry of SCHEDULERS. What
differs from site to site beyond a queue (the names of parallel environments, of memory and of GPUs)
is in the four functions below: a list of words each.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["there", "gone", "stuck"]


@dataclass(frozen=True)
class Request:
    """What a job asks for."""

    name: str
    threads: int
    mem_mb: int
    minutes: int
    gpus: int
    queue: str | None = None


@dataclass(frozen=True)
class Scheduler:
    """The commands of one scheduler. A job's script is the standard input of `submit`.

    number: what is printed for a submitted job, as a pattern of which group 1 is the job's number
    read: (answer to `ask`, number) -> whether the job waits or runs, is over, or will never run
        without help; None where the answer says nothing of it
    """

    submit: Callable[[Request], list[str]]
    number: str
    ask: list[str]
    read: Callable[[str, str], State | None]
    cancel: list[str]


def _clock(minutes):
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def _pbs(job):
    parts = f"select=1:ncpus={job.threads}:mem={job.mem_mb}mb"
    parts += f":ngpus={job.gpus}" if job.gpus else ""
    return [*_qsub(job), "-l", parts, "-l", f"walltime={_clock(job.minutes)}"]


def _torque(job):
    node = f"nodes=1:ppn={job.threads}" + (f":gpus={job.gpus}" if job.gpus else "")
    return [*_qsub(job), "-l", f"{node},mem={job.mem_mb}mb,walltime={_clock(job.minutes)}"]


def _qsub(job):
    """What PBS and Torque agree on. No rerun after a lost node: Snakemake submits a job again."""
    words = ["qsub", "-V", "-r", "n", "-S", "/bin/bash", "-N", job.name[:15]]
    words += ["-j", "oe", "-o", "/dev/null"]  # jobs keep a log of their own
    return words + (["-q", job.queue] if job.queue else [])


def _sge(job):
    words = ["qsub", "-terse", "-V", "-r", "n", "-S", "/bin/bash", "-N", job.name]
    words += ["-j", "y", "-o", "/dev/null", "-l", f"h_rt={60 * job.minutes}"]
    # ASSUME: the site reserves memory by `mem_free` (per slot). Not h_vmem: PyTorch maps several
    # times the memory that it uses.
    words += ["-l", f"mem_free={-(-job.mem_mb // job.threads)}M"]
    if job.threads > 1:
        words += ["-pe", "smp", str(job.threads)]  # ASSUME: so the parallel environment is called
    if job.gpus:
        words += ["-l", f"gpu={-(-job.gpus // job.threads)}"]  # ASSUME: the complex, per slot
    return words + (["-q", job.queue] if job.queue else [])


def _lsf(job):
    words = ["bsub", "-J", job.name, "-o", "/dev/null", "-n", str(job.threads)]
    words += ["-R", f"span[hosts=1] rusage[mem={job.mem_mb}MB]", "-M", f"{job.mem_mb}MB"]
    words += ["-W", str(job.minutes)]
    if job.gpus:
        words += ["-gpu", f"num={job.gpus}"]
    return words + (["-q", job.queue] if job.queue else [])


def _read_pbs(text: str, number: str) -> State | None:
    """Of `qstat -f`. Ended jobs are C, F or X, said to have finished, or forgotten."""
    if re.search(r"Unknown Job Id|Job has finished", text):
        return "gone"
    state = re.search(r"^\s*job_state = (\w)", text, re.M)
    if not state or not re.search(rf"^Job Id: {re.escape(number)}(\.|$)", text, re.M):
        return None
    if state[1] in "CFX":
        return "gone"
    held = state[1] == "H" and re.search(r"^\s*Hold_Types = \w*s", text, re.M)
    return "stuck" if held else "there"  # held by the system, after starts that failed


def _read_sge(text: str, number: str) -> State | None:
    """Of `qstat -j`, which knows no ended job. One in the state E has an `error reason`."""
    if "Following jobs do not exist" in text:
        return "gone"
    if not re.search(rf"^job_number:\s+{re.escape(number)}\s*$", text, re.M):
        return None
    return "stuck" if re.search(r"^error reason\b", text, re.M) else "there"


def _read_lsf(text: str, number: str) -> State | None:
    """Of `bjobs -noheader`. UNKWN, of a host that is out of reach, says nothing."""
    if f"Job <{number}> is not found" in text:
        return "gone"
    found = re.search(rf"^{re.escape(number)}\s+\S+\s+([A-Z]+)\b", text, re.M)
    if not found or found[1] == "UNKWN":
        return None
    return "gone" if found[1] in ("DONE", "EXIT", "ZOMBI") else "there"


PBS_NUMBER = r"^(\d+(?:\.[\w.-]+)?)$"
SCHEDULERS: Mapping[str, Scheduler] = {
    "pbs": Scheduler(_pbs, PBS_NUMBER, ["qstat", "-f"], _read_pbs, ["qdel"]),
    "torque": Scheduler(_torque, PBS_NUMBER, ["qstat", "-f"], _read_pbs, ["qdel"]),
    "sge": Scheduler(_sge, r"^(\d+)$", ["qstat", "-j"], _read_sge, ["qdel"]),
    "lsf": Scheduler(
        _lsf, r"^Job <(\d+)> is submitted to ", ["bjobs", "-noheader"], _read_lsf, ["bkill"]
    ),
}
