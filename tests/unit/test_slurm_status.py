"""A slow `scontrol` does not change how jobs are asked for."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin

from rasen.study.slurm_status import DEFAULT_AGE, settle_status_command


@pytest.fixture
def scontrol(tmp_path, monkeypatch):
    """A function that says what `scontrol show config` does from now on; `sacct` is there too."""
    monkeypatch.setattr(plugin, "get_min_job_age", plugin.get_min_job_age)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def does(script):
        for name, text in {"scontrol": script, "sacct": "exit 0"}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)

    return does


def command_of_a_look(monkeypatch):
    """The command by which the plugin's own loop asks for its jobs."""
    asked = []

    async def query(command, logger):
        asked.append(command[0] if isinstance(command, list) else command.split()[0])
        raise InterruptedError

    monkeypatch.setattr(plugin, "query_job_status", query)
    settings = SimpleNamespace(
        status_command="squeue", init_seconds_before_status_checks=20, status_attempts=1
    )
    logger = SimpleNamespace(debug=print, info=print, warning=print, error=print)

    executor = SimpleNamespace(
        workflow=SimpleNamespace(executor_settings=settings), logger=logger, run_uuid="run",
        get_status_command=lambda: "squeue", status_rate_limiter=nullcontext(),
    )  # fmt: skip

    async def look():
        jobs = [SimpleNamespace(external_jobid="1")]
        async for _ in plugin.Executor.check_active_jobs(executor, jobs):
            pass

    with pytest.raises(InterruptedError):
        asyncio.run(look())
    return asked[0]


def test_without_help_a_delay_changes_the_command(scontrol, monkeypatch):
    """What is mended here is still so in the plugin; else rasen.study.slurm_status can go."""
    scontrol("exit 1")
    assert command_of_a_look(monkeypatch) == "sacct"


def test_a_delayed_scontrol_changes_nothing(scontrol, monkeypatch):
    settle_status_command(plugin)
    scontrol("echo 'MinJobAge = 120 sec'")
    assert command_of_a_look(monkeypatch) == "squeue"
    scontrol("exec sleep 30")  # longer than the plugin waits
    assert command_of_a_look(monkeypatch) == "squeue"
    assert plugin.get_min_job_age() == 120


def test_without_any_answer_squeue_is_asked(scontrol, monkeypatch):
    settle_status_command(plugin)
    scontrol("exec sleep 30")
    assert command_of_a_look(monkeypatch) == "squeue"
    assert plugin.get_min_job_age() == DEFAULT_AGE


def test_a_cluster_that_forgets_jobs_at_once_is_asked_by_sacct(scontrol, monkeypatch):
    settle_status_command(plugin)
    scontrol("echo 'MinJobAge = 5 sec'")
    assert command_of_a_look(monkeypatch) == "sacct"
