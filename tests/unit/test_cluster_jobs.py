"""What is asked of PBS, Torque, Grid Engine and LSF, and how their answers are understood."""

import asyncio
import json
import os
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_cluster_generic as plugin

from rasen.errors import RasenError
from rasen.study import cluster_jobs
from rasen.study.cluster_jobs import ClusterJob, Limits, parse_job, status, submit
from rasen.study.cluster_plugin import settle_cluster
from rasen.study.schedulers import SCHEDULERS, Request

PBS = """Job Id: 12.head
    Job_Name = r-work
    job_state = {}
    Hold_Types = {}
    Variable_List = PBS_O_LANG=C,job_state = R
"""
SGE = """==============================================================
job_number:                 {}
job_name:                   r-work
"""
LSF = "12      me      {}   normal     head        node1       r-work     Nov 22 14:31\n"


def flags(kind, **more):
    request = Request(**{"name": "r-work", "threads": 4, "mem_mb": 6000, "minutes": 90,
                         "gpus": 0} | more)  # fmt: skip
    return " ".join(SCHEDULERS[kind].submit(request))


@pytest.mark.parametrize(
    ("kind", "asked", "of_gpu"),
    [
        ("pbs", ["-l select=1:ncpus=4:mem=6000mb", "-l walltime=01:30:00"], ":ngpus=2"),
        ("torque", ["-l nodes=1:ppn=4,mem=6000mb,walltime=01:30:00"], "ppn=4:gpus=2,"),
        ("sge", ["-pe smp 4", "-l mem_free=1500M", "-l h_rt=5400"], "-l gpu=1"),
        ("lsf", ["-n 4", "rusage[mem=6000MB]", "-M 6000MB", "-W 90"], "-gpu num=2"),
    ],
)
def test_resources_are_flags(kind, asked, of_gpu):
    said = flags(kind)
    assert all(text in said for text in asked), said
    assert "gpu" not in said
    assert "-q" not in said
    assert of_gpu in flags(kind, gpus=2)
    assert "-q short" in flags(kind, queue="short")


@pytest.mark.parametrize(
    ("kind", "text", "state"),
    [
        *(("pbs", PBS.format(letter, "n"), "there") for letter in "QRHWTESBMU"),
        *(("torque", PBS.format(letter, "n"), "gone") for letter in "CFX"),
        ("pbs", PBS.format("H", "us"), "stuck"),
        ("pbs", PBS.format("H", "u"), "there"),
        ("pbs", PBS.format("R", "n").replace("12.", "112."), None),
        ("torque", "qstat: Unknown Job Id Error 12.head", "gone"),
        ("pbs", "qstat: 12.head Job has finished, use -x or -H to obtain historical job "
         "information", "gone"),
        ("pbs", "Connection refused\nqstat: cannot connect to server head (errno=15010)", None),
        ("pbs", "", None),
        ("sge", SGE.format(12), "there"),
        ("sge", SGE.format(120), None),
        ("sge", SGE.format(12) + "error reason    1:  11/22/2026 14:31:00 [1000:1]: can't chdir",
         "stuck"),
        ("sge", "Following jobs do not exist or permissions are not sufficient: \n12", "gone"),
        ("sge", "Following jobs do not exist: \n12", "gone"),
        ("sge", "error: commlib error: got select error (Connection refused)", None),
        *(("lsf", LSF.format(word), "there") for word in ("PEND", "RUN", "PSUSP", "SSUSP", "WAIT")),
        *(("lsf", LSF.format(word), "gone") for word in ("DONE", "EXIT", "ZOMBI")),
        ("lsf", LSF.format("UNKWN"), None),
        ("lsf", LSF.format("RUN").replace("12", "123"), None),
        ("lsf", "Job <12> is not found", "gone"),
        ("lsf", "Job <123> is not found", None),
        ("lsf", "LSF is down. Please wait ...", None),
    ],
)  # fmt: skip
def test_answers(kind, text, state):
    number = "12.head" if kind in ("pbs", "torque") else "12"
    assert SCHEDULERS[kind].read(text, number) == state


@pytest.mark.parametrize("text", [
    "", "12", "pbs:12", "pbs:12.head", "slurm:12:a", "pbs:-1:a", "pbs:12:a b", "pbs:12:../a",
    "pbs:12;ls:a", "sge:12:a\nsge:13:a",
])  # fmt: skip
def test_jobs_that_are_not_ours_are_refused(text):
    with pytest.raises(RasenError, match="is no job that rasen-submit submitted"):
        parse_job(text)


def test_jobs_are_read_as_they_are_written():
    for job in (
        ClusterJob("pbs", "12.head-1.edu", "points-nano-01ab"),
        ClusterJob("lsf", "7", "a"),
    ):
        assert parse_job(str(job)) == job


# --- with commands


@pytest.fixture
def says(tmp_path, monkeypatch):
    """A function that has a command say something, to an end; all that commands were given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("qsub", "qstat", "qdel", "bsub", "bjobs", "bkill"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 9\n")
        (tmp_path / name).chmod(0o755)

    def says(name, text, code=0):
        (tmp_path / "text").write_text(text)
        lines = ("#!/bin/sh", f'echo "{name} $*" >>asked', "cat text", f"exit {code}", "")
        (tmp_path / name).write_text("\n".join(lines))

    return says


JOB = ClusterJob("pbs", "12.head", "work-01ab")


def test_a_receipt_says_how_a_job_ended_whatever_the_scheduler_does(says, tmp_path, capsys):
    says("qstat", PBS.format("R", "n"))
    assert status(JOB, Limits()) == "running"
    (tmp_path / ".snakemake/cluster").mkdir(parents=True)
    JOB.log.write_text("")
    JOB.receipt.write_text("137\n")
    (tmp_path / "qstat").write_text("#!/bin/sh\nexec sleep 60\n")
    assert status(JOB, Limits()) == "failed"
    assert f"Job 12.head (work-01ab): it ended with exit code 137. Its log: {JOB.log}" in (
        capsys.readouterr().err
    )
    assert JOB.log.exists()
    JOB.receipt.write_text("0\n")
    assert status(JOB, Limits()) == "success"
    assert not JOB.log.exists()


def test_a_job_that_is_gone_has_failed_only_when_no_receipt_comes(says, capsys):
    says("qstat", "qstat: Unknown Job Id Error 12.head", 153)
    assert status(JOB, Limits(late=60)) == "running"
    says("qstat", PBS.format("E", "n"))
    assert status(JOB, Limits(late=0)) == "running"  # the scheduler had erred: counted anew
    says("qstat", "qstat: Unknown Job Id Error 12.head", 153)
    assert status(JOB, Limits(late=60)) == "running"
    assert status(JOB, Limits(late=0)) == "failed"
    assert "pbs has ended it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["exec sleep 60", "echo connection refused; exit 255", "exit 0"])
def test_no_answer_is_neither_failed_nor_running_for_ever(says, tmp_path, text):
    (tmp_path / "qstat").write_text(f"#!/bin/sh\n{text}\n")
    begun = time.time()
    assert status(JOB, Limits(answer=0.5)) == "running"
    assert status(JOB, Limits(answer=0.5)) == "running"
    assert time.time() - begun < 10
    (tmp_path / ".snakemake/cluster/hangs").unlink(missing_ok=True)
    with pytest.raises(RasenError, match="pbs has not said for 0 minutes whether it runs"):
        status(JOB, Limits(answer=0.5, silence=0))
    says("qstat", PBS.format("R", "n"))  # an answer ends the silence
    assert status(JOB, Limits()) == "running"
    (tmp_path / "qstat").write_text(f"#!/bin/sh\n{text}\n")
    assert status(JOB, Limits(answer=0.5, silence=1)) == "running"


def test_a_scheduler_that_hangs_is_left_alone_for_a_while(says, tmp_path):
    """Else a hundred jobs are a hundred delays, and no receipt is read meanwhile."""
    (tmp_path / "qstat").write_text("#!/bin/sh\necho asked >>asked\nexec sleep 60\n")
    limits = Limits(answer=0.5, pause=60)
    for number in range(5):
        assert status(ClusterJob("pbs", f"{number}.head", f"work-{number}"), limits) == "running"
    assert (tmp_path / "asked").read_text() == "asked\n"
    assert status(JOB, Limits(answer=0.5, pause=0)) == "running"
    assert (tmp_path / "asked").read_text() == "asked\nasked\n"


def test_a_job_that_cannot_start_is_deleted(says, tmp_path, capsys):
    says("qdel", "")
    says("qstat", PBS.format("H", "s"))
    assert status(JOB, Limits()) == "failed"
    assert (tmp_path / "asked").read_text() == "qstat -f 12.head\nqdel 12.head\n"
    assert "cannot start it" in capsys.readouterr().err


def jobscript(folder, **more):
    resources = {"mem_mb": 500, "runtime": 5, "gpu": 1, "queue": "short"}
    properties = {"type": "single", "rule": "fit_helix", "threads": 2, "resources": resources}
    script = folder / "snakejob.sh"
    script.write_text(f"#!/bin/sh\n# properties = {json.dumps(properties | more)}\nexit 3\n")
    return script


def test_a_job_is_submitted_with_its_resources_and_the_flags_of_the_site(says, tmp_path):
    says("bsub", "Job <7> is submitted to queue <short>.\n")
    job = submit("lsf", ["-P", "a project"], jobscript(tmp_path))
    assert (job.scheduler, job.number) == ("lsf", "7")
    assert job.name.startswith("fit_helix-")
    said = (tmp_path / "asked").read_text()
    assert said.startswith("bsub -J r-fit_helix -o /dev/null -n 2 ")
    assert said.endswith(" -W 5 -gpu num=1 -q short -P a project\n")


@pytest.mark.parametrize(
    ("text", "code"), [("", 0), ("Request aborted", 255), ("12", 1), ("a12", 0)]
)
def test_a_submission_without_a_number_has_failed(says, tmp_path, text, code):
    says("qsub", text, code)
    with pytest.raises(RasenError, match=rf"qsub .*\(exit {code}\)"):
        submit("pbs", [], jobscript(tmp_path))


def test_names_of_schedulers_and_their_commands_are_checked(says, tmp_path):
    assert [*cluster_jobs.unusable_command("rasen-submit torque -A me")] == []
    assert [*cluster_jobs.unusable_command("my-submit --fast")] == []
    (told,) = cluster_jobs.unusable_command("rasen-submit")
    assert "no scheduler ''; known: pbs, torque, sge, lsf" in told
    (tmp_path / "bjobs").unlink()
    assert [*cluster_jobs.unusable_command("rasen-submit lsf")] == [
        "lsf: no bjobs here; use a login node, or no profile"
    ]


# --- Ctrl-C


@pytest.fixture
def interrupted(monkeypatch, tmp_path):
    """A function: ids that the plugin cancels when interrupted in its look at the job `a`."""

    def look_and_cancel():
        asked = tmp_path / "cancelled"
        asked.touch()
        command = tmp_path / "cancel"
        command.write_text(f'#!/bin/sh\necho "$@" >>"{asked}"\n')
        command.chmod(0o755)
        settings = SimpleNamespace(
            status_cmd="echo running #", cancel_cmd=str(command), cancel_nargs=20
        )

        executor = SimpleNamespace(
            workflow=SimpleNamespace(executor_settings=settings),
            logger=SimpleNamespace(info=print), sidecar_vars=None,
            status_rate_limiter=nullcontext(), active_jobs=[],
        )  # fmt: skip

        async def look():
            jobs = [SimpleNamespace(external_jobid=name) for name in "ab"]
            async for _ in plugin.Executor.check_active_jobs(executor, jobs):
                plugin.Executor.cancel_jobs(executor, executor.active_jobs)
                break

        asyncio.run(look())
        return asked.read_text().split()

    for name in ("check_active_jobs", "cancel_jobs"):
        monkeypatch.setattr(plugin.Executor, name, getattr(plugin.Executor, name))
    return look_and_cancel


def test_without_help_jobs_under_a_look_run_on(interrupted):
    """What is mended here is still so in the plugin; else rasen.study.cluster_plugin can go."""
    assert interrupted() == []


def test_jobs_under_a_look_are_cancelled(interrupted, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.environ["PATH"])
    settle_cluster(plugin, tmp_path)
    assert interrupted() == ["a", "b"]
