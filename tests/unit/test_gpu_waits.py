"""What makes a processor wait for a GPU happens once a batch, or once in all: counted on a CPU."""

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rasen.families import open_family
from rasen.io import inputs
from rasen.measure import activations, gradient, recovery
from rasen.measure.activations import DumpSettings
from rasen.weights.network_tensors import load_into

WAITING = {"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal"}


class Waits(TorchDispatchMode):
    """Counts operations whose result the processor needs before it can go on."""

    def __init__(self):
        super().__init__()
        self.reads = self.masks = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in WAITING:
            self.reads += 1
        elif function.overloadpacket.__name__.startswith("index"):  # a mask is looked for first
            indices = next((arg for arg in args if isinstance(arg, list | tuple)), ())
            masks = [i for i in indices if isinstance(i, torch.Tensor) and i.dtype == torch.bool]
            self.masks += len(masks)
        return function(*args, **(kwargs or {}))


def counted(function):
    """What a call would wait for."""
    with Waits() as waits:
        function()
    return waits


def waits(function):
    """How often a call would wait."""
    seen = counted(function)
    return seen.reads + seen.masks


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    return open_family("musicgen", tiny.musicgen(tmp_path_factory.mktemp("musicgen")))


@pytest.fixture
def network(family):
    network = family.build("cpu", "float32")
    load_into(network, family.load(family.folder))
    return network


@pytest.fixture
def codes(tmp_path):
    """Eight clips of unequal lengths."""
    rng = np.random.default_rng(0)
    clips = [
        {"codes": rng.integers(0, tiny.CARD, (length, 4)).astype(np.int16)}
        for length in range(6, 14)
    ]
    table = pd.DataFrame({"clip": [str(clip) for clip in range(len(clips))]})
    inputs.write_inputs(tmp_path / "inputs.h5", clips, table)
    return inputs.Inputs(tmp_path / "inputs.h5")


def test_the_count_sees_what_waits():
    x = torch.arange(4.0)
    assert waits(lambda: x.sum().item()) == 1
    assert waits(lambda: x[x > 1]) >= 1
    assert waits(lambda: bool((x > 1).all())) >= 1
    assert waits(lambda: x[torch.tensor([0, 1])] + x.mean()) == 0


@pytest.mark.parametrize("pool", ["mean", "last", "all"])
def test_more_layers_ask_no_more(family, network, codes, tmp_path, monkeypatch, pool):
    # what has been copied to the CPU is looked at there; that is no question to a GPU
    monkeypatch.setattr(activations, "_storable", lambda values, *_: np.zeros(values.shape))

    def dump(layers):
        settings = DumpSettings(layers=layers, pool=pool)
        activations.dump(family, network, codes, tmp_path / "a.h5", settings, "cpu", 4)

    assert waits(lambda: dump([1])) == waits(lambda: dump("all"))


def test_a_gradient_step_asks_no_more_of_many_batches(family, network, codes):
    def step(batch):
        gradient.correct_network(family, network, codes, 1e-3, 1, "cpu", batch)

    assert waits(lambda: step(1)) == waits(lambda: step(8))


@pytest.mark.parametrize("batch", [1, 8])
def test_recovery_reads_its_losses_at_the_end(family, network, codes, batch):
    def losses(names):
        functions = {name: lambda x: x for name in names}
        recovery.loss_recovered(family, network, codes, 1, functions, "cpu", batch)

    one, two = (counted(lambda n=names: losses(n)).reads for names in (["a"], ["a", "b"]))
    read_once = counted(inference(lambda: float(torch.ones(())))).reads
    assert two - one == read_once > 0  # however many batches there are


def inference(function):
    """The function without gradients, where torch takes other ways to the same number."""
    return torch.inference_mode()(function)
