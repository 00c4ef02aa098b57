"""Training SongBloom: the same losses on any number of processes, and after a kill."""

import json
import os
import shutil
import subprocess
import sys
from math import cos, pi
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from events import read_events, read_scalars
from safetensors.torch import load_file
from songbloom_windows import FakeWindows, settings, tiny
from tensorboardX.proto.event_pb2 import SessionLog

from rasen.errors import RasenError
from rasen.networks.songbloom_init import initialised
from rasen.songbloom import run
from rasen.songbloom.batches import as_batch, term_counts, window_sample
from rasen.songbloom.log import Log
from rasen.songbloom.settings import TrainSettings
from rasen.songbloom.trainer import Step, learning_rate, train

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests/songbloom_windows.py"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start(folder, processes=1, kill_after=0, **changes):
    """A training run in processes of its own; its exit status."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "KILL_AFTER": str(kill_after)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "workflow/scripts")])
    command = [sys.executable, *(TORCHRUN if processes > 1 else ()), str(SCRIPT)]
    command += [json.dumps(changes), str(folder / "state"), str(folder / "out")]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


def losses(folder):
    return np.array(
        [row[2:4] for row in json.loads((folder / "out/losses.json").read_text())], float
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The undisturbed run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    assert start(folder) == 0
    return folder


@pytest.mark.parametrize(
    ("processes", "changes"),
    [(1, {"at_once": 4}), (2, {"engine": "ddp"}), (2, {"engine": "fsdp", "at_once": 2})],
    ids=["accumulated", "ddp", "fsdp"],
)
def test_losses_are_equal_on_every_engine(tmp_path, alone, processes, changes):
    assert start(tmp_path, processes, **changes) == 0
    assert losses(tmp_path) == pytest.approx(losses(alone), rel=1e-5)
    for step in (0, 2, 4):
        ours, theirs = (load_file(f / f"out/{step}.safetensors") for f in (tmp_path, alone))
        for name, tensor in ours.items():  # Adam divides by root mean squares of few steps
            assert torch.allclose(tensor, theirs[name], atol=1e-4), name


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on_bit_by_bit(tmp_path, processes):
    changes = {"steps": 5, "engine": "auto"}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole, processes, **changes) == 0
    assert start(broken, processes, kill_after=3, **changes) != 0
    assert [path.name for path in (broken / "state").glob("step-*")] == ["step-00000002"]
    assert [step for step, _ in read_scalars(broken / "out/events")["loss/train"]] == [1, 2, 3]
    assert start(broken, processes, **changes) == 0
    tail = losses(whole)[-len(losses(broken)) :]
    assert (losses(broken) == tail).all()
    final = [(f / "out/5.safetensors").read_bytes() for f in (whole, broken)]
    assert final[0] == final[1]
    told = [told_of(folder) for folder in (whole, broken)]
    assert told[0] == told[1]
    assert [step for step, _ in told[0]["loss/train"]] == [1, 2, 3, 4, 5]
    assert [step for step, _ in told[0]["flow/valid"]] == [0, 2, 4, 5]


def told_of(folder):
    """What its events tell that does not depend on the machine: the same as its lines of JSON."""
    told = read_scalars(folder / "out/events")
    rows = [json.loads(line) for line in (folder / "state/log.jsonl").read_text().splitlines()]
    for tag, values in told.items():
        name, _, split = tag.partition("/")
        wanted = [r for r in rows if r["split"] == (split or "train") and r[name] is not None]
        assert [step for step, _ in values] == [row["number"] for row in wanted], tag
        assert [v for _, v in values] == pytest.approx([row[name] for row in wanted]), tag
    return {tag: values for tag, values in told.items() if tag not in ("tokens_s", "memory")}


def test_a_run_from_scratch_forgets_the_events_of_the_last_one(tmp_path):
    for loss in (1.0, 2.0):
        log = Log(tmp_path / "state", tmp_path / "events")
        log.add(Step(1, "train", loss, loss, 0.0, 1e-3, 0.5, 10.0, 20.0))
        assert read_scalars(tmp_path / "events")["loss/train"] == [(1, loss)]
        assert len([*log.rows()]) == 1
    assert {*read_scalars(tmp_path / "events")} == {
        *("loss/train", "lm/train", "flow/train", "lr", "norm", "tokens_s", "memory")
    }
    marks = [event.session_log.status for event in read_events(tmp_path / "events")]
    assert marks[:2] == [0, SessionLog.START]  # an open TensorBoard drops what it had read


def some_steps(state, windows=None, count=2, **changes):
    steps = train(
        initialised(tiny(), 0), windows or FakeWindows(), settings(**changes), state, FakeWindows(2)
    )
    return [step for step, _ in zip(steps, range(count), strict=False)]


def test_a_run_goes_on_only_with_what_it_was_begun_with(tmp_path):
    assert start(tmp_path) == 0
    state = tmp_path / "state"
    with pytest.raises(RasenError, match=r"data: .*abc.* then, .*other.* now"):
        some_steps(state, FakeWindows(name="other"))
    with pytest.raises(RasenError) as error:
        some_steps(state, lr=2e-3, hide=0.5)
    assert "lr: 0.001 then, 0.002 now" in str(error.value)
    assert "hide: 0.05 then, 0.5 now" in str(error.value)
    about = next(state.glob("step-*/about.json"))
    about.write_text(about.read_text().replace('"processes": 1', '"processes": 2'))
    with pytest.raises(RasenError, match="processes: 2 then, 1 now"):
        some_steps(state)


def test_an_empty_validation_set(tmp_path):
    with pytest.raises(RasenError, match=r"validation set is empty; see songs\.splits"):
        next(train(initialised(tiny(), 0), FakeWindows(), settings(), tmp_path, FakeWindows(0)))


@pytest.mark.parametrize(
    ("changes", "processes", "told"),
    [
        ({"batch": 3}, 2, "batch 3 over 2 processes"),
        ({"batch": 4, "at_once": 3}, 1, "at_once 3 does not divide the 4 windows"),
        ({"engine": "single"}, 2, "take ddp or fsdp"),
        ({"keep": (9,)}, 1, r"keep \[9\]: the run has the steps 0 to 4"),
    ],
)
def test_settings_that_contradict(changes, processes, told):
    with pytest.raises(RasenError, match=told):
        settings(**changes).require_valid(processes)


def test_the_learning_rate_rises_and_falls():
    plan = TrainSettings(steps=110, lr=1.0, warmup=10)
    assert learning_rate(plan, 1) == pytest.approx(0.1)
    assert learning_rate(plan, 10) == 1
    assert learning_rate(plan, 60) == pytest.approx((1 + cos(pi / 2)) / 2)
    assert learning_rate(plan, 110) == pytest.approx(0)


# --- what is drawn


def drawn(count=400, **changes):
    windows, chosen = FakeWindows(), settings(**changes)
    return [window_sample(windows[place], tiny(), chosen) for place in range(count)]


def test_draws_follow_from_the_place_alone():
    first, other = drawn(5)[3], window_sample(FakeWindows()[3], tiny(), settings())
    for name, value in first.items():
        assert np.array_equal(value, other[name]), name
    later = window_sample(FakeWindows()[6], tiny(), settings())  # the same window, another epoch
    assert not np.array_equal(first["noise"], later["noise"])
    assert not np.array_equal(first["latents"], later["latents"])
    assert np.array_equal(first["sketch"], later["sketch"])


def test_times_are_logit_normal():
    times = np.concatenate([sample["time"] for sample in drawn()])
    logits = np.log(times / (1 - times))
    assert len(times) > 1400
    assert logits.mean() == pytest.approx(0, abs=0.1)
    assert logits.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("mask", ["paper", "public"])
def test_masks_of_both_kinds(mask):
    samples = drawn(mask=mask, hide=0.2)
    hidden = ~np.concatenate([sample["keep_hidden"] for sample in samples])
    sketch = ~np.concatenate([sample["keep_sketch"] for sample in samples])
    assert hidden.mean() == pytest.approx(0.2, abs=0.04)
    together = {"paper": 0.2, "public": 0.04}[mask]
    assert (hidden & sketch).mean() == pytest.approx(together, abs=0.04)
    assert sketch.mean() == pytest.approx({"paper": 0.36, "public": 0.2}[mask], abs=0.05)


def test_conditions_are_dropped_as_often_as_asked():
    samples = drawn(drop_all=0.2, drop_prompt=0.5)
    no_lyrics = np.array([sample["ids"].tolist() == [0] for sample in samples])
    no_prompt = np.array([sample["prompt_frames"] == 0 for sample in samples])
    assert no_lyrics.mean() == pytest.approx(0.2, abs=0.06)
    assert no_prompt.mean() == pytest.approx(0.6, abs=0.07)
    assert (no_lyrics <= no_prompt).all()
    held_out = [window_sample(FakeWindows()[n], tiny(), settings(), "valid") for n in range(50)]
    assert all(s["prompt_frames"] == 10 and s["keep_sketch"].all() for s in held_out)


def test_some_patches_train_the_flow():
    samples = drawn(20, flow_patches=2)
    assert {len(sample["flow"]) for sample in samples} == {2}
    assert len({tuple(sample["flow"]) for sample in samples}) > 3
    assert term_counts(samples)[1] == 40
    batch = as_batch(samples[:2], tiny())
    assert int(initialised(tiny(), 0)(batch).patches) == 4


def test_a_window_that_is_learned_by_heart(tmp_path):
    """At the length that it was trained on: tokens >= .99, latents closer than their spread."""
    windows, config = FakeWindows(1, frames=64), tiny()
    network = initialised(config, 0)
    plan = settings(
        steps=200, batch=1, lr=3e-3, warmup=10, ema=0.0, validate=0, save=1000, keep=(),
        drop_all=0.0, drop_prompt=0.0, hide=0.0,
    )  # fmt: skip
    steps = [step for step in train(network, windows, plan, tmp_path) if step.split == "train"]
    network.eval()
    with torch.no_grad():
        batch = as_batch([window_sample(windows[0], config, plan, "test")], config)
        out = network(batch)
    assert float((out.logits[0, :64].argmax(-1) == batch["sketch"][0]).float().mean()) >= 0.99
    assert int(out.logits[0, 64].argmax()) == config.end
    assert steps[-1].flow < 0.8 * steps[0].flow


def test_a_kill_while_the_last_files_are_put_in_place_loses_nothing(tmp_path, monkeypatch):
    """Snakemake then deletes the weights that stand already; the state still has all of them."""
    state, weights = tmp_path / "state", tmp_path / "weights"
    asked = settings()
    for step in asked.kept:
        folder = state / "kept" / run.step_name(step)
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text(f"weights of {step}")
    row = dict.fromkeys(run.COLUMNS, 0.0) | {"number": 1, "split": "train"}
    log = SimpleNamespace(rows=lambda: [{k: v for k, v in row.items() if k != "step"}])

    def finish():
        run._finish("toy", log, state, state / "kept", weights, tmp_path / "table.parquet", asked)

    with monkeypatch.context() as patch:
        patch.setattr(run.parquet, "write_table", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            finish()
    shutil.rmtree(weights)
    finish()
    assert sorted(path.name for path in weights.iterdir()) == list(map(run.step_name, asked.kept))
    for step in asked.kept:
        text = (weights / run.step_name(step) / "model.safetensors").read_text()
        assert text == f"weights of {step}"
    assert not state.exists()
