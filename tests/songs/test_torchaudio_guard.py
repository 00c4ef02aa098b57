"""torchaudio and packages with greedy `__init__`s import where their libraries cannot load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rasen.networks.torchaudio_guard import import_torchaudio, import_without_init

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"
FRESH = """
import sys
import torch
from rasen.networks.torchaudio_guard import import_torchaudio

loads = []
def broken(path):
    loads.append(path)
    raise OSError("Could not load this library")
torch.ops.load_library = broken  # as on a machine whose CUDA is not there
torchaudio = import_torchaudio()
assert torchaudio is sys.modules["torchaudio"] is import_torchaudio()
assert loads, "the broken libraries were never tried: this test shows nothing"
mel = torchaudio.transforms.MelSpectrogram(24000, n_fft=2048, hop_length=240)
assert mel(torch.zeros(24000)).shape == (128, 101)
from transformers import Wav2Vec2ConformerConfig
"""


def test_torchaudio_works_without_its_libraries():
    path = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", FRESH], check=True, env=path)


def test_a_torchaudio_that_works_is_taken_as_it_is(monkeypatch):
    whole = object()
    monkeypatch.setitem(sys.modules, "torchaudio", whole)
    assert import_torchaudio() is whole


def test_import_without_inits_run_no_init(tmp_path, monkeypatch):
    package = tmp_path / "greedy_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('asked for too much')")
    (package / "part.py").write_text("value = 7")
    monkeypatch.syspath_prepend(tmp_path)
    bare = import_without_init("greedy_package")
    from greedy_package import part

    assert part.value == 7
    assert import_without_init("greedy_package") is bare
    del sys.modules["greedy_package"], sys.modules["greedy_package.part"]


def test_missing_packages_are_named():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        import_without_init("no_such_package")
