"""A run that was killed goes on bit by bit, or says why it cannot."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from planted import planted
from test_sae import clips_of, dump

from rasen.errors import RasenError
from rasen.sae import train, trainer, training_state

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"
GRID = {
    "expansion": 4,
    "k": 4,
    "batch": 256,
    "epochs": 6,
    "kind": ["topk", "batchtopk", "relu"],
    "normalise": ["rms", "standard"],
    "dead_after": 1000,
}
pytestmark = pytest.mark.filterwarnings("ignore:sae. .* rows for")


def files(folder):
    """Every file below a folder, by name, as bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def activations(tmp_path_factory):
    x, _ = planted(20_000)
    return dump(tmp_path_factory.mktemp("dump") / "a.h5", x, clips_of(20_000), "float16")


@pytest.fixture(scope="module")
def whole(activations, tmp_path_factory):
    """What a run gives that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    train(activations, GRID, 0, folder, layer=6)
    return files(folder)


def test_killed_twice_and_resumed_equals_never_stopped(activations, whole, tmp_path):
    """SIGKILL, wherever it strikes, after a state was written and then after a later one."""
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from rasen.sae import train\n"
        f"train(sys.argv[1], {GRID!r}, 0, sys.argv[2], layer=6, save_every=20)"
    )
    path, seen = tmp_path / training_state.FILE, None
    for _ in range(2):
        run = subprocess.Popen(
            [sys.executable, "-c", code, activations, tmp_path],
            env=os.environ | {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.DEVNULL,
        )
        while run.poll() is None and (not path.exists() or path.stat().st_mtime_ns == seen):
            time.sleep(0.005)
        assert run.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
        run.wait()
        seen = path.stat().st_mtime_ns
    assert not (tmp_path / trainer.TABLE).exists()
    train(activations, GRID, 0, tmp_path, layer=6)
    assert files(tmp_path) == whole


@pytest.fixture
def stopped(activations, tmp_path, monkeypatch):
    """A folder with the state of a run that stopped after 30 of 375 steps."""
    lr_factor = trainer.lr_factor

    def stopping(step, steps):
        if step == 30:
            raise KeyboardInterrupt
        return lr_factor(step, steps)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "lr_factor", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(activations, GRID, 0, tmp_path, layer=6, save_every=10)
    assert [path.name for path in tmp_path.iterdir()] == [training_state.FILE]
    return tmp_path


def test_a_state_that_is_cut_while_written_leaves_the_one_before(
    stopped, activations, whole, monkeypatch
):
    before = (stopped / training_state.FILE).read_bytes()

    def cut(tensors, path, metadata):
        Path(path).write_bytes(before[:1000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training_state, "save_file", cut)
        with pytest.raises(KeyboardInterrupt):
            train(activations, GRID, 0, stopped, layer=6, save_every=10)
    assert (stopped / training_state.FILE).read_bytes() == before
    train(activations, GRID, 0, stopped, layer=6)
    assert files(stopped) == whole


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"settings": GRID | {"lr": 0.002}}, "settings"),
        ({"layer": 3}, "activations"),
        ({"recipe": {"point": "linear-0.900"}}, "activations"),
        ({"rows": 10_000}, "shape, activations"),
    ],
)
def test_another_run_is_refused(stopped, activations, changes, named, tmp_path):
    run = {"settings": GRID, "seed": 0, "layer": 6}
    run |= {key: changes[key] for key in run if key in changes}
    if "recipe" in changes or "rows" in changes:
        rows = changes.get("rows", 20_000)
        more = {"recipe": changes["recipe"]} if "recipe" in changes else {}
        x = planted(20_000)[0][:rows]
        activations = dump(tmp_path / "b.h5", x, clips_of(rows), "float16", **more)
    with pytest.raises(RasenError, match=rf"state\.safetensors: .* another {named}; delete it"):
        train(activations, folder=stopped, **run)


def test_an_array_goes_on_too(tmp_path, monkeypatch):
    x, _ = planted(6000)
    groups = clips_of(6000, 60)
    small = {"expansion": 2, "k": 2, "batch": 128, "steps": 60}
    train(x, small, 0, tmp_path / "whole", groups=groups)
    save = trainer.save_state

    def once(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "save_state", once)
        with pytest.raises(KeyboardInterrupt):
            train(x, small, 0, tmp_path / "stopped", groups=groups, save_every=7)
    with pytest.raises(RasenError, match="another activations"):
        train(np.roll(x, 1, 1), small, 0, tmp_path / "stopped", groups=groups)
    train(x, small, 0, tmp_path / "stopped", groups=groups)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
