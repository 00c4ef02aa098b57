"""The package without its workflow: installed by pip, and the workflow as a module of another."""

import os
import shutil
import subprocess
import sys

import pytest
from study import ROOT, Study, fresh_study


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed package alone (dependencies are those of this environment)."""
    folder, sources = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, sources)
    unwanted = shutil.ignore_patterns("__pycache__")
    package = "workflow/scripts/rasen"
    shutil.copytree(ROOT / package, sources / package, ignore=unwanted)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*command, "--no-build-isolation", sources], check=True, cwd=folder)
    return folder


def run(installed, code):
    """What a line of Python says, in a folder that knows nothing of the checkout."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_module_is_installed(installed):
    ours = {path.relative_to(ROOT / "workflow/scripts") for path in
            (ROOT / "workflow/scripts/rasen").rglob("*.py")}  # fmt: skip
    assert ours == {path.relative_to(installed) for path in (installed / "rasen").rglob("*.py")}


def test_a_helix_is_fitted_without_torch(installed):
    code = (
        "import sys, numpy as np, rasen.helix as helix;"
        "x = np.random.default_rng(0).normal(size=(36, 9));"
        "print(helix.fit(helix.reduce(x)).helicality > 0, 'torch' in sys.modules)"
    )
    assert run(installed, code) == "True False"


def test_saes_are_trained_on_any_array(installed, tmp_path):
    code = (
        "import numpy as np; from rasen.sae import load, train;"
        "x = np.random.default_rng(0).normal(size=(900, 8)).astype(np.float32);"
        f"t = train(x, {{'expansion': 2, 'k': 2, 'batch': 64}}, 0, {str(tmp_path)!r});"
        f"print(len(t), load({str(tmp_path)!r} + '/' + t['sae'][0]).n)"
    )
    assert run(installed, code) == "1 16"


def test_a_name_that_is_not_there_is_told(installed):
    code = (
        "import rasen.helix\ntry:\n    rasen.helix.fitt\nexcept AttributeError as e:\n    print(e)"
    )
    assert run(installed, code) == "module 'rasen.helix' has no attribute 'fitt'"


def test_another_workflow_uses_ours_as_a_module(tmp_path):
    """Its own rules read our results; our config file is its own."""
    study = fresh_study(tmp_path / "study", ROOT / "tests/small/config")
    (study.folder / "Snakefile").write_text(f"""
configfile: "config/config.yaml"

module rasen:
    snakefile: "{ROOT}/Snakefile"
    config: config

use rule * from rasen as rasen_*

rule mine:
    default_target: True
    input: "results/tables/points.parquet"
    output: "results/mine.txt"
    shell: "ls -l {{input}} > {{output}}"
""")
    own = Study(study.folder, study.folder)
    assert own.planned("mine") == {"mine": 1, "rasen_list_points": 1}
    assert own.planned("rasen_perplexity")["rasen_measure_perplexity"] == 8
    own.snakemake("mine")
    assert "points.parquet" in (study.folder / "results/mine.txt").read_text()
