"""Tiny models and their inputs, made once for all unit tests."""

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

from rasen.families import open_family
from rasen.io import inputs
from rasen.measure.interpolate import network_at_point
from rasen.study.recipe import Initialisation, Recipe

torch.set_num_threads(1)
OFFICIAL = Initialisation("official", 3)


@pytest.fixture(autouse=True)
def subnormal_numbers():
    """Jobs count them as zero for their whole process; tests share one."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tiny.musicgen(tmp_path_factory.mktemp("musicgen"))


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory):
    return tiny.llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def family(folder):
    return open_family("musicgen", folder)


@pytest.fixture(scope="session")
def language(text_folder):
    return open_family("causal_lm", text_folder, {"window": 65})


@pytest.fixture
def at(family):
    """The tiny MusicGen at a point, by name."""

    def network(point, dtype="float32", **more):
        fields = {"point": point, "dtype": dtype, "initial": OFFICIAL} | more
        recipe = Recipe("musicgen", str(family.folder), **fields)
        return network_at_point(family, recipe, "cpu")

    return network


@pytest.fixture(scope="session")
def codes(tmp_path_factory):
    """Inputs of seven clips of different lengths."""
    rng = np.random.default_rng(0)
    lengths = [30, 30, 17, 9, 30, 22, 5]
    encoded = [
        {"codes": rng.integers(0, tiny.CARD, (length, tiny.BOOKS)).astype(np.int16)}
        for length in lengths
    ]
    clips = pd.DataFrame({"clip": [f"clip{i}" for i in range(7)], "pitch": range(60, 67)})
    path = tmp_path_factory.mktemp("inputs") / "codes.h5"
    inputs.write_inputs(path, encoded, clips)
    return inputs.Inputs(path)


@pytest.fixture
def rng():
    """Random numbers, the same in every run."""
    return np.random.default_rng(20261120)
