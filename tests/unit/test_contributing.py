"""The worked example of CONTRIBUTING.md works."""

import json
import re
import sys
import types
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rasen.families import Family, open_family
from rasen.io.hdf5 import open_file
from rasen.io.inputs import Inputs
from rasen.measure import activations, gradient, guessing, perplexity, recovery
from rasen.measure.encoding import encode_clips
from rasen.measure.interpolate import load_at_point, network_at_point
from rasen.study import registry
from rasen.study.recipe import Initialisation, Recipe
from rasen.weights.certify import certify
from rasen.weights.network_tensors import named_tensors, save_network

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkpoint of the example's model; the example is registered as the page says."""
    code, entry = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    module = types.ModuleType("rasen.families.wave_gru")
    exec(compile(code, "CONTRIBUTING.md", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    added = eval(f"dict({{{entry}}})", vars(registry))
    monkeypatch.setattr(registry, "FAMILIES", registry.FAMILIES)
    for name, family in added.items():
        monkeypatch.setitem(registry.FAMILIES, name, family)
    torch.manual_seed(0)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text(json.dumps({"width": 16}))
    save_network(module.Network(16), tmp_path / "model/model.safetensors")
    return tmp_path / "model"


def test_the_family_of_the_page_goes_through_every_measure(folder, tmp_path):
    family = open_family("wave_gru", folder)
    assert isinstance(family, Family)
    assert certify(folder, registry.FAMILIES["wave_gru"].reader)["tensors"] == 7
    clips = pd.DataFrame(
        {
            "clip": ["a", "b"],
            "kind": "melodies",
            "interval": 12,
            "seed": 0,
            "index": [0, 1],
            "seconds": [0.05, 0.02],
        }
    )
    encode_clips(family, clips, tmp_path / "i.h5", "cpu")
    inputs = Inputs(tmp_path / "i.h5")
    assert inputs.lengths.tolist() == [400, 160]
    recipe = Recipe("wave_gru", str(folder), "linear-0.500", initial=Initialisation())
    family, network = load_at_point(recipe, "cpu")
    activations.dump(
        family, network, inputs, tmp_path / "a.h5", activations.DumpSettings(), "cpu", 2
    )
    with open_file(tmp_path / "a.h5") as file:
        assert file["layers/01"].shape == (2, 16)
        assert np.ptp(file["layers/01"][:]) > 0
    together, alone = (perplexity.clip_losses(family, network, inputs, "cpu", n) for n in (2, 1))
    assert np.allclose(together["loss"], alone["loss"], rtol=1e-5)
    assert together["targets"].tolist() == [399, 159]
    assert guessing.guessed_losses(family, inputs)["targets"].tolist() == [399, 159] * 2
    table = recovery.loss_recovered(family, network, inputs, 1, {"it": lambda x: x}, "cpu", 2)
    assert table["loss"].item() == pytest.approx(table["loss_model"].item())
    before = gradient.correct_network(family, network, inputs, 0.1, 1, "cpu", 2)
    assert before["loss_after"].item() < before["loss_before"].item()


def test_its_ends_are_the_drawn_and_the_stored_weights(folder, tmp_path):
    family = open_family("wave_gru", folder)
    recipe = Recipe("wave_gru", str(folder))
    trained = named_tensors(network_at_point(family, recipe, "cpu"))
    family.export(network_at_point(family, recipe, "cpu"), tmp_path)
    again = family.load(tmp_path)
    assert all(torch.equal(again[name].read(), tensor) for name, tensor in trained.items())
    start = Recipe("wave_gru", str(folder), "untrained", initial=Initialisation())
    drawn = named_tensors(network_at_point(family, start, "cpu"))
    assert all(not torch.equal(drawn[name], tensor) for name, tensor in trained.items())
    assert drawn["head.weight"].abs().max() <= 16**-0.5


LIBRARY = (Path(__file__).parents[2] / "docs/library.md").read_text()


@pytest.mark.parametrize("package", ["rasen.helix", "rasen.sae"])
def test_the_page_of_the_library_names_what_there_is(package):
    body = re.search(rf"`{package}`\n(.*?)\n## ", LIBRARY, flags=re.S)[1]
    names = [
        n for row in re.findall(r"^\| (.*?) \|", body, re.M) for n in re.findall(r"`([\w.]+)", row)
    ]
    assert len(names) > 10
    for name in names:
        value = import_module(package if not name.startswith("rasen.") else name)
        for part in name.split(".") if not name.startswith("rasen.") else ():
            value = getattr(value, part)


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_what_pages_import_is_there(page):
    text = (Path(__file__).parents[2] / page).read_text()
    imports = re.findall(r"^from (rasen[\w.]*) import ([\w, ]+)", text, re.M)
    assert imports
    for module, names in imports:
        for name in names.split(","):
            assert hasattr(import_module(module), name.strip()), f"{module}.{name}"
