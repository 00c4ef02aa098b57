"""The memory of a training step, predicted. How near it comes: benchmarks/songbloom_memory.py."""

import json
import runpy
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from songbloom_windows import FakeWindows, settings, tiny

from rasen.networks.songbloom import SongBloom
from rasen.networks.songbloom_config import preset
from rasen.songbloom import run
from rasen.songbloom.memory import StepMemory, require_room, step_memory
from rasen.songs.phonemes.inventory import built_in_inventory

SCRIPT = Path(__file__).parents[2] / "workflow/scripts/train_songbloom.py"
PLAN = replace(settings(), batch=8, at_once=8, seconds=10.24, ema=0.0)


def needed(processes=1, device="cpu", **changes):
    return step_memory(tiny(), replace(PLAN, **changes), processes, device)


def test_weights_gradients_and_moments_are_counted_exactly():
    network = SongBloom(tiny())
    everything = [*network.parameters(), *network.buffers()]
    weights = 4 * sum(tensor.numel() for tensor in everything)
    trained = 4 * sum(p.numel() for p in network.parameters() if p.requires_grad)
    told = needed(ema=0.9)
    assert (told.weights, told.gradients, told.optimiser) == (weights, trained, 2 * trained)
    assert told.average == pytest.approx(weights, rel=1e-3)  # without buffers
    assert needed().average == 0
    assert sum(vars(told).values()) == told.total


def test_what_lowers_it():
    usual = needed()
    less = [{"at_once": 2}, {"checkpointing": True}, {"precision": "bf16"}, {"flow_patches": 4}]
    for change in less:
        assert needed(**change).activations < 0.9 * usual.activations, change
    assert needed(seconds=5.12).activations < 0.6 * usual.activations


def test_several_processes():
    """Two windows in each; DDP has whole weights and buckets, FSDP a share of everything."""
    alone, ddp = needed(batch=2, at_once=2), needed(2, engine="ddp", batch=4, at_once=2)
    assert ddp.weights == alone.weights
    assert ddp.total - alone.total == pytest.approx(alone.gradients, rel=0.01)
    fsdp = needed(2, engine="fsdp", batch=4, at_once=2)
    for part in ("weights", "gradients", "optimiser"):
        assert getattr(fsdp, part) == pytest.approx(getattr(alone, part) / 2, abs=1)
    # gradients are whole until the last part of a step
    added = needed(2, engine="fsdp", batch=4, at_once=1).total
    assert added > needed(2, engine="fsdp", batch=2, at_once=1).total + alone.gradients / 2


def test_the_update_of_a_gpu_takes_all_weights_at_once():
    plan = {"batch": 1, "at_once": 1, "seconds": 0.64, "checkpointing": True}
    on_cpu, on_gpu = needed(**plan), needed(device="cuda", **plan)
    assert on_gpu.activations == on_gpu.gradients > on_cpu.activations


def test_the_largest_networks_take_seconds_and_no_memory():
    told = step_memory(preset("public_150s"), replace(PLAN, seconds=150.0, batch=1, at_once=1))
    assert told.weights == pytest.approx(4 * 1.872e9, rel=2e-3)
    assert told.total > 40e9


GIVEN = StepMemory(7_700_000_000, 0, 3_900_000_000, 7_700_000_000, 4_100_000_000)


def test_as_text():
    parts = "weights 7.7, gradients 3.9, optimiser 7.7, activations 4.1"
    assert str(GIVEN) == f"23.4 GB ({parts})"


def small_gpu(monkeypatch, gigabytes):
    card = SimpleNamespace(total_memory=gigabytes * 1e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)


def test_a_step_that_does_not_fit_is_refused(monkeypatch):
    small_gpu(monkeypatch, 24)
    require_room(GIVEN, "cuda:0")
    small_gpu(monkeypatch, 23)
    require_room(GIVEN, "cpu")
    with pytest.raises(torch.OutOfMemoryError, match=r"about 23\.4 GB \(.*, the GPU has 23 GB"):
        require_room(GIVEN, "cuda:0")


class Songs(FakeWindows):
    """Windows as a run reads them."""

    most, songs, inventory = 64, pd.DataFrame({"frames": [48, 64]}), built_in_inventory().name

    def __init__(self, *_, **__):
        super().__init__()


def test_a_run_is_refused_before_its_first_weights(monkeypatch, tmp_path, capsys):
    small_gpu(monkeypatch, 0.001)
    monkeypatch.setattr(run, "Windows", Songs)
    monkeypatch.setattr(run, "load_codebook", lambda path: SimpleNamespace(vectors=[0] * 32))
    monkeypatch.setattr(run, "initialised", lambda *_: pytest.fail("weights were drawn"))
    arguments = {
        **{"run": "mine", "device": "cuda", "processes": 1, "codebook": tmp_path},
        **dict.fromkeys(["index", "state", "events", "weights", "table"], tmp_path),
        "settings": json.dumps({"preset": "toy", "train": asdict(PLAN)}),
    }
    monkeypatch.setattr(sys, "argv", ["train", *[f"--{k}={v}" for k, v in arguments.items()]])
    monkeypatch.setattr("rasen.device.pick_device", lambda device: device)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "set `songbloom.runs.mine.train.at_once` to 1, `checkpointing: true`" in str(ended.value)
    assert "a step needs about " in str(ended.value)
    assert "the GPU has 0.001 GB" in str(ended.value)
    assert "memory of a step, windows at once: 8: about" in capsys.readouterr().out
