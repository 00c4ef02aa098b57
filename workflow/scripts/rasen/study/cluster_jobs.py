"""Jobs on a cluster without SLURM: submitted, asked for, cancelled.

A job writes its exit code into a receipt when it ends, so how it ended is known without the
scheduler, which may be slow, silent, or have forgotten it. The scheduler is asked for a job that
has no receipt: one that it no longer has was killed, one that is there waits or runs. No answer is
none of these: the job counts as running while the silence lasts, and after an hour of it (`Limits`)
the run stops and says so, for to submit such a job again might have two of it at work.

All files are below the working directory, in FOLDER: a log, a receipt and two times for each job.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rasen.errors import RasenError, suggestion
from rasen.io.atomic import write_text
from rasen.study.schedulers import SCHEDULERS, Request

FOLDER = Path(".snakemake/cluster")
PROPERTIES = "# properties = "  # a line of every script that Snakemake submits
SCRIPT = """#!/bin/bash
cd {folder} || exit 1
sh {jobscript} >{log} 2>&1
code=$?
echo $code >{receipt}.partial && mv {receipt}.partial {receipt}
exit $code
"""


@dataclass(frozen=True)
class Limits:
    """Seconds.

    answer: to wait for one answer of the scheduler
    pause: without asking for any job after one question had no answer in that time
    late: for which a receipt may be on its way through a shared file system (NFS: a minute)
    silence: of the scheduler about one job, after which the run stops
    """

    answer: float = 20
    pause: float = 60
    late: float = 120
    silence: float = 3600


@dataclass(frozen=True)
class ClusterJob:
    """A submitted job: scheduler, the scheduler's number of it, the name of its files."""

    scheduler: str
    number: str
    name: str

    def __str__(self) -> str:
        return f"{self.scheduler}:{self.number}:{self.name}"

    @property
    def log(self) -> Path:
        return FOLDER / f"{self.name}.log"

    @property
    def receipt(self) -> Path:
        return FOLDER / f"{self.name}.exit"

    def since(self, what: str) -> float:
        """Seconds since this was first said of the job (0 the first time)."""
        file = FOLDER / f"{self.name}.{what}"
        if not file.exists():
            write_text(file, f"{time.time()}\n")
        return time.time() - float(file.read_text())

    def unsay(self, *words: str) -> None:
        for what in words:
            (FOLDER / f"{self.name}.{what}").unlink(missing_ok=True)


def parse_job(text: str) -> ClusterJob:
    """The job that Snakemake knows by this text, which `submit` gave it."""
    found = re.fullmatch(r"(\w+):(\d+(?:\.[\w.-]+)?):([\w.-]+)", text)
    if not found or found[1] not in SCHEDULERS:
        raise RasenError(f"'{text}': is no job that rasen-submit submitted")
    return ClusterJob(*found.groups())


# --- submit


def submit(scheduler: str, flags: Sequence[str], jobscript: Path) -> ClusterJob:
    """Give a script of Snakemake's to the scheduler.

    flags: of the site, for every job (an account, a project)
    """
    if problem := next(unusable(scheduler), None):
        raise RasenError(problem)
    properties = read_properties(jobscript)
    label = re.sub(r"[^\w-]+", "-", properties.get("groupid") or properties["rule"])
    # the scheduler's name of it: Grid Engine wants no digit first
    request = request_of(f"r-{label}", properties["threads"], properties["resources"])
    name = f"{label[:60]}-{uuid.uuid4().hex[:8]}"
    job = ClusterJob(scheduler, "", name)
    FOLDER.mkdir(parents=True, exist_ok=True)
    script = SCRIPT.format(
        folder=shlex.quote(str(Path.cwd())),
        jobscript=shlex.quote(str(jobscript)),
        log=shlex.quote(str(job.log)),
        receipt=shlex.quote(str(job.receipt)),
    )
    spoken = SCHEDULERS[scheduler]
    command = [*spoken.submit(request), *flags]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    number = re.search(spoken.number, done.stdout.strip(), re.M)
    if done.returncode or not number:
        answer = (done.stderr + done.stdout).strip() or "no answer"
        raise RasenError(f"{shlex.join(command)}: {answer[-500:]} (exit {done.returncode})")
    return replace(job, number=number[1])


def read_properties(jobscript: Path) -> dict:
    """What Snakemake says of a job in its script."""
    for line in jobscript.read_text(encoding="utf-8").splitlines():
        if line.startswith(PROPERTIES):
            return json.loads(line.removeprefix(PROPERTIES))
    raise RasenError(f"{jobscript}: has no line `{PROPERTIES}`; rasen-submit takes Snakemake's")


def request_of(name: str, threads: int, resources: dict) -> Request:
    """A job's resources; `mem_mb` and `runtime` have a default in cluster/profile.yaml."""
    return Request(
        name=name,
        threads=threads,
        mem_mb=resources["mem_mb"],
        minutes=resources["runtime"],
        gpus=resources.get("gpu") or 0,
        queue=resources.get("queue"),
    )


def unusable(scheduler: str) -> Iterator[str]:
    """Why this scheduler cannot be used here, if so."""
    if scheduler not in SCHEDULERS:
        yield f"rasen-submit: no scheduler '{scheduler}'; {suggestion(scheduler, [*SCHEDULERS])}"
        return
    spoken = SCHEDULERS[scheduler]
    for command in (spoken.submit(Request("", 1, 1, 1, 0))[0], spoken.ask[0], spoken.cancel[0]):
        if not shutil.which(command):
            yield f"{scheduler}: no {command} here; use a login node, or no profile"


def unusable_command(submit_command: str) -> Iterator[str]:
    """The same of a command of a profile; nothing of a site's own."""
    words = shlex.split(submit_command)
    if words[:1] == ["rasen-submit"]:
        yield from unusable(words[1] if len(words) > 1 else "")


# --- status


def status(job: ClusterJob, limits: Limits) -> Literal["running", "success", "failed"]:
    """How it stands with a job, as Snakemake wants to know it."""
    if code := _exit_code(job):
        return _ended(job, code)
    state = _state(job, limits)
    if state is None:
        _require_patience(job, limits)
        return "running"
    job.unsay("silent")
    if state == "there":
        job.unsay("gone")
        return "running"
    if state == "stuck":
        cancel([job])
        _tell(job, f"{job.scheduler} cannot start it and was told to delete it")
        return "failed"
    if code := _exit_code(job):  # it may have ended between the two looks
        return _ended(job, code)
    if job.since("gone") < limits.late:
        return "running"
    _tell(job, f"{job.scheduler} has ended it (time or memory exceeded, node lost, deleted)")
    return "failed"


def _state(job, limits):
    """What the scheduler says of a job. While it hangs, hundreds of jobs are not asked for in turn:
    their receipts would wait."""
    hangs = FOLDER / "hangs"
    if hangs.exists() and time.time() - float(hangs.read_text()) < limits.pause:
        return None
    spoken = SCHEDULERS[job.scheduler]
    answer = _answer([*spoken.ask, job.number], limits.answer)
    if answer is None:
        write_text(hangs, f"{time.time()}\n")
        return None
    hangs.unlink(missing_ok=True)
    return spoken.read(answer, job.number)


def _exit_code(job):
    try:
        return job.receipt.read_text().strip()
    except OSError:  # not there, or not to be seen at the moment
        return ""


def _ended(job, code):
    job.unsay("silent", "gone")
    if code == "0":
        job.unsay("log", "exit")
        return "success"
    _tell(job, f"it ended with exit code {code}")
    return "failed"


def _answer(command, seconds):
    """What the scheduler says, also what it says is wrong; None where it takes too long."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return done.stdout


def _require_patience(job, limits):
    silent = job.since("silent")
    if silent >= limits.silence:
        raise RasenError(
            f"{job}: {job.scheduler} has not said for {silent / 60:.0f} minutes whether it runs. "
            "Nothing is known of it, so nothing is submitted again: when the scheduler answers, "
            "wait until its jobs are gone (or delete them), `snakemake --unlock`, run again"
        )


def _tell(job, reason):
    print(f"Job {job.number} ({job.name}): {reason}. Its log: {job.log}", file=sys.stderr)


# --- cancel


def cancel(jobs: Iterable[ClusterJob], seconds: float = 60) -> None:
    """Have the schedulers delete those of these jobs that have not ended."""
    left = [job for job in jobs if not job.receipt.exists()]
    for scheduler in sorted({job.scheduler for job in left}):
        numbers = [job.number for job in left if job.scheduler == scheduler]
        _answer([*SCHEDULERS[scheduler].cancel, *numbers], seconds)
