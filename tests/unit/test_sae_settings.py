"""Settings of SAEs: what a grid means, what is refused, and that the config's schema agrees."""

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields
from pathlib import Path

import pandas as pd
import pytest

from rasen.errors import RasenError
from rasen.io.json_dataclass import from_json, to_json
from rasen.sae import training_memory
from rasen.sae.normalise import KINDS as NORMALISATIONS
from rasen.sae.settings import (
    KINDS,
    Setting,
    expand,
    in_shard,
    main_sae,
    main_setting,
    with_seeds,
)
from rasen.study import config

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow/scripts"
SCHEMA = config.read_schema(ROOT / "workflow/schemas/config.schema.yaml")
SECTION = SCHEMA["properties"]["sae"]["properties"]
LIBRARY_ALONE = {"dead_after", "seed", "steps"}
MODELS = {"m": {"family": "musicgen", "weights": "/models/m"}}


def test_lists_are_grids_with_the_first_values_first():
    settings = expand({"k": [16, 8], "lr": [0.1, 0.2], "kind": "topk"})
    assert [(setting.k, setting.lr) for setting in settings] == [
        (16, 0.1), (16, 0.2), (8, 0.1), (8, 0.2),
    ]  # fmt: skip
    assert main_setting({"k": [16, 8], "lr": [0.1, 0.2]}) == settings[0]
    assert expand({}) == [Setting()]


def test_fields_that_a_kind_does_not_use_are_none():
    assert (Setting().k, Setting().l1) == (32, None)
    assert (Setting(kind="relu").k, Setting(kind="relu").l1) == (None, 0.01)
    assert expand({"kind": "relu", "k": [4, 8], "l1": 0.1}) == [Setting(kind="relu", l1=0.1)]
    assert expand({"l1": ["never read"]}) == [Setting()]


def test_a_setting_is_frozen_and_survives_json():
    setting = Setting(kind="relu", normalise="rms", steps=10)
    assert from_json(Setting, to_json(setting)) == setting
    assert list(asdict(setting)) == [field.name for field in fields(Setting)]
    with pytest.raises(FrozenInstanceError):
        setting.k = 3
    with pytest.raises(RasenError, match="no field 'expantion'; did you mean 'expansion'"):
        from_json(Setting, '{"expantion": 4}')


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "topq"}, "sae: kind: 'topq' is not one of topk, batchtopk, matryoshka, relu"),
        ({"normalise": "l2"}, "sae: normalise: 'l2' is not one of none, rms, scalar, standard"),
        ({"precision": "fp16"}, "sae: precision: 'fp16' is not one of auto, bf16, fp32"),
        ({"lr": None}, "sae: lr: None is not a number"),
        ({"lr": "1e-3"}, "sae: lr: '1e-3' is not a number"),
        ({"k": None}, "sae: k: None is not a number"),
        ({"aux": True}, "sae: aux: True is not a number"),
        ({"lr": 0}, "sae: lr must be above 0, not 0"),
        ({"lr": float("nan")}, "sae: lr must be above 0, not nan"),
        ({"expansion": -1}, "sae: expansion must be above 0, not -1"),
        ({"epochs": 0}, "sae: epochs must be above 0, not 0"),
        ({"dead_after": 0}, "sae: dead_after must be above 0, not 0"),
        ({"aux": -0.1}, "sae: aux must be 0 or above, not -0.1"),
        ({"kind": "relu", "l1": -1}, "sae: l1 must be 0 or above, not -1"),
        ({"k": 0}, "sae: k must be a whole number above 0, not 0"),
        ({"k": 4.5}, "sae: k must be a whole number above 0, not 4.5"),
        ({"batch": 0}, "sae: batch must be a whole number above 0, not 0"),
        ({"steps": 2.5}, "sae: steps must be a whole number above 0, not 2.5"),
        ({"seed": -1}, "sae: seed must be a whole number from 0, not -1"),
        ({"seed": 0.5}, "sae: seed must be a whole number from 0, not 0.5"),
        ({"steps": 1e3}, "sae: steps must be a whole number above 0, not 1000.0"),
    ],
)
def test_values_that_cannot_be_are_refused(values, message):
    for make in (lambda: Setting(**values), lambda: expand(values), lambda: expand(values, 64)):
        with pytest.raises(RasenError) as caught:
            make()
        assert message in str(caught.value)


def test_grids_that_make_no_run_are_refused_with_all_mistakes():
    with pytest.raises(RasenError, match="no settings given"):
        expand([])
    with pytest.raises(RasenError, match=r"epochs: \[1, 2\] differ; all SAEs of a run"):
        expand([{"epochs": 1}, {"epochs": 2}])
    with pytest.raises(RasenError, match="batc: unknown setting; did you mean 'batch'"):
        expand({"batc": 4})
    with pytest.raises(RasenError) as caught:
        expand({"k": 50, "normalise": "l2", "lr": [-1, 0.1]}, 32)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(set(lines))
    for message in ("normalise: 'l2'", "lr must be above 0, not -1", "k = 50 must lie in 1 to 32"):
        assert any(message in line for line in lines)


@pytest.mark.parametrize("kind", ["topk", "relu"])
def test_the_main_sae_has_the_first_values_and_the_best_rate(kind):
    grid = {"kind": [kind, "batchtopk"], "k": [8, 4], "expansion": [2, 3], "lr": [0.1, 0.2]}
    settings = expand(grid)
    table = pd.DataFrame([asdict(setting) for setting in settings])
    table["sae"] = [setting.folder_name(64) for setting in settings]
    table["best"] = table["lr"] == 0.2
    table["seed"] = 0
    sparsity = "l0.01" if kind == "relu" else "k8"
    assert main_sae(table, grid) == f"{kind}-n128-{sparsity}-scalar-lr0.2"
    with pytest.raises(RasenError, match=r"main SAE \(seed 0\) diverged at every .* \(0.1, 0.2\)"):
        main_sae(table.assign(best=False), grid)


def test_other_seeds_are_of_the_main_cell_alone():
    grid = {"k": [8, 4], "lr": [0.1, 0.2]}
    settings = expand(with_seeds(grid, [0, 1, 2], 0))
    assert settings[:4] == expand(grid), "named and trained as without seeds"
    assert [(setting.k, setting.lr, setting.seed) for setting in settings[4:]] == [
        (8, 0.1, 1), (8, 0.1, 2), (8, 0.2, 1), (8, 0.2, 2),
    ]  # fmt: skip
    assert main_setting(with_seeds(grid, [0, 1], 0)) == main_setting(grid)
    assert expand(with_seeds(grid, [0], 0)) == expand(grid)
    first, *_, last = expand(with_seeds(grid, [3, 0], 0))
    assert (first.seed, last.seed) == (3, None)
    assert last.folder_name(64) == "topk-n1024-k8-scalar-lr0.2"
    assert first.folder_name(64) == "topk-n1024-k8-scalar-lr0.1-seed3"


def test_shards_hold_every_setting_once_and_as_many_latents():
    settings = expand({"expansion": [4, 8, 16, 32, 64], "k": [8, 16, 32], "lr": [1e-3, 3e-3]})
    shards = [in_shard(settings, number, 4) for number in range(4)]
    held = [settings.index(setting) for shard in shards for setting in shard]
    assert sorted(held) == list(range(30))
    latents = [sum(setting.expansion for setting in shard) for shard in shards]
    assert max(latents) - min(latents) <= 64
    assert in_shard(settings, 0, 1) == settings
    with pytest.raises(RasenError, match=r"31 jobs for 30 SAEs; set sae.shards: 30"):
        in_shard(settings, 0, 31)


def test_a_grid_that_no_job_holds_says_how_many_shards_do():
    """The paper's grid with three rates: its weights and moments alone are 187 GB."""
    grid = expand({"expansion": [4, 8, 16, 32, 64], "k": [8, 16, 32, 64, 128],
                   "lr": [3e-4, 1e-3, 3e-3]})  # fmt: skip
    assert 187_000 < training_memory.needed_mb(grid, 2048) < 200_000
    with pytest.raises(RasenError, match=r"up to \d+ at width 2048; set sae.shards: (\d+)") as told:
        training_memory.require_memory(grid, 1, 2048, 40_000)
    shards = int(str(told.value).split()[-1])
    assert 5 <= shards <= 8
    training_memory.require_memory(grid, shards, 2048, 40_000)
    with pytest.raises(RasenError, match=r"the largest SAE alone takes \d+: set sae.training_mem"):
        training_memory.require_memory(grid, 5, 2048, 8000)


def test_the_memory_that_is_told_is_the_memory_that_is_taken():
    """Measured: 1,145 MB of 1,214, also where the state is saved on the way."""
    code = """
import resource, sys, tempfile
import numpy as np, torch
from rasen.sae import train
from rasen.sae.settings import expand
from rasen.sae.training_memory import needed_mb
torch.set_num_threads(1)
x = np.random.default_rng(0).standard_normal((20_000, 256), np.float32)
grid = {"expansion": 48, "k": 16, "batch": 2048, "steps": 3, "lr": [n * 1e-3 for n in range(1, 7)]}
train(x, grid, 0, tempfile.mkdtemp(), save_every=2, held_out=1000)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(peak / needed_mb(expand(grid), 256))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert 0.5 < float(done.stdout) < 1.05


# the section `sae` of the config


def accepted_by_schema(key, value):
    try:
        config.validate({"models": MODELS, "sae": {key: value}}, SCHEMA)
    except RasenError:
        return False
    return True


def accepted_by_library(key, value):
    try:
        Setting(**{"kind": "relu" if key == "l1" else "topk"} | {key: value})
    except RasenError:
        return False
    return True


def test_the_schema_offers_all_fields_but_three_and_repeats_no_default():
    names = {field.name for field in fields(Setting)}
    assert set(config.SAE_GRID) == names & set(SECTION) == names - LIBRARY_ALONE
    assert not [key for key in config.SAE_GRID if "default" in SECTION[key]]
    with pytest.raises(RasenError, match=r"sae.steps: unknown setting"):
        config.validate({"models": MODELS, "sae": {"steps": 10}}, SCHEMA)


@pytest.mark.parametrize("key", config.SAE_GRID)
def test_the_schema_and_the_library_accept_the_same_values(key):
    values = [*KINDS, *NORMALISATIONS, "bf16", "other", None, True, -1, -0.5, 0, 0.5, 1, 3.5, 4]
    verdicts = {str(value): accepted_by_schema(key, value) for value in values}
    assert verdicts == {str(value): accepted_by_library(key, value) for value in values}
    assert len(set(verdicts.values())) == 2


def test_layers_of_the_config_count_from_zero_alone():
    """Names of files hold the number of a layer, so there is one way to write it."""
    assert "end" not in SECTION["layers"]["description"]
    with pytest.raises(RasenError, match=r"sae.layers.0: -1 is less than the minimum of 0"):
        config.validate({"models": MODELS, "sae": {"layers": [-1]}}, SCHEMA)
