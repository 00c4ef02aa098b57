"""Tiny models and their inputs, made once for all unit tests."""

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

from rasen import inputs
from rasen.device import flush_subnormals
from rasen.families import open_family
from rasen.families.walk import network_at

torch.set_num_threads(1)
flush_subnormals()  # as every job does
OFFICIAL = {"rule": "official", "seed": 3}


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
        recipe = {"weights": family.folder, "point": point, "dtype": dtype, "initial": OFFICIAL}
        return network_at(family, recipe | more, "cpu")

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
    inputs.write(path, encoded, clips)
    return inputs.Inputs(path)


@pytest.fixture
def rng():
    """Random numbers, the same in every run."""
    return np.random.default_rng(20261120)
