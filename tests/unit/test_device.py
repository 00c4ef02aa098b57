"""GPUs of jobs, with a made-up `nvidia-smi`: which are visible, and one job on each."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rasen import device
from rasen.errors import RasenError

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"
THREE = "".join(f"GPU {i}: Made up (UUID: GPU-{name})\n" for i, name in enumerate("abc"))
DIVIDED = THREE + "  MIG 1g.5gb Device 0: (UUID: MIG-x)\n  MIG 1g.5gb Device 1: (UUID: MIG-y)\n"
JOB = """
import os, sys
from rasen.device import take_cards
take_cards(int(sys.argv[1]))
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that gives this machine GPUs: what `nvidia-smi -L` says."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def say(text):
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
        (tmp_path / "nvidia-smi").chmod(0o755)

    return say


@pytest.fixture
def job(machine):
    """A function that starts a job of the user's that takes GPUs; ended with `end`."""
    machine(THREE)
    jobs = []

    def start(gpus):
        jobs.append(
            subprocess.Popen(
                [sys.executable, "-c", JOB, str(gpus)], cwd=SCRIPTS, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return jobs[-1]

    yield start
    for each in jobs:
        each.kill()
        each.wait()


def cards_of(job):
    return job.stdout.readline().strip().split(",")


def test_a_machine_without_gpus_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert device.visible_cards() == []
    device.take_cards(1)
    assert device.pick_device("auto") == "cpu"


@pytest.mark.parametrize(
    ("chosen", "visible"),
    [
        (None, ["GPU-a", "GPU-b", "MIG-x", "MIG-y"]),
        ("", []),
        ("-1", []),
        ("1", ["GPU-b"]),
        ("2,0", ["MIG-x", "GPU-a"]),
        ("GPU-b,MIG-y", ["GPU-b", "MIG-y"]),
        ("0,7,1", ["GPU-a"]),
    ],
)
def test_visible_are_those_that_cuda_would_see(machine, monkeypatch, chosen, visible):
    machine(DIVIDED)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert device.visible_cards() == visible


def test_jobs_that_run_together_take_different_gpus_and_give_them_back(job):
    first, second, third = (job(1) for _ in range(3))
    taken = [cards_of(each)[0] for each in (first, second, third)]
    assert sorted(taken) == ["GPU-a", "GPU-b", "GPU-c"]
    fourth = job(1)
    assert fourth.stderr.readline().startswith("waiting: your jobs use all 3 GPUs")
    second.kill()  # however it ends
    assert cards_of(fourth) == [taken[1]]


def test_several_gpus_are_taken_together_or_not_at_all(job):
    one = job(1)
    assert cards_of(one) == ["GPU-a"]
    both = job(3)
    assert both.stderr.readline().startswith("waiting")
    time.sleep(0.1)
    assert cards_of(job(2)) == ["GPU-b", "GPU-c"], "a job that waits holds none"


def test_a_process_keeps_what_it_took(machine, monkeypatch):
    machine(THREE)
    monkeypatch.setattr(device, "_held", [])
    monkeypatch.setattr(device.tempfile, "tempdir", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    with pytest.raises(RasenError, match="3 GPUs are asked for and 2 are visible; lower `gpus`"):
        device.take_cards(3)
    device.take_cards(1)
    device.take_cards(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"
    assert len(device._held) == 1
    os.close(device._held[0])
    device.tempfile.tempdir = None
