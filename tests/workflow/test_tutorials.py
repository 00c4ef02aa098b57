"""The tutorials' files and commands: written as the pages say, and planned by Snakemake."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from study import ROOT, Study

NAMED = re.compile(r"```\w+\n# (\S+\.\w+)\n(.*?)```", re.S)  # a block that begins with its path
TUTORIALS = ROOT / "docs/tutorials"


def write_files(page, folder):
    """Write the files of a page below a folder; the commands of its `bash` blocks."""
    text = (TUTORIALS / f"{page}.md").read_text()
    for path, content in NAMED.findall(text):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def dry_run(commands):
    """(study, targets) of the dry run among the commands, which are all Snakemake's or known."""
    (dry,) = [shlex.split(line) for line in commands if line.startswith("snakemake -n")]
    place = dry.index("--directory")
    return dry[place + 1], dry[place + 2 :]


def tone(path, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 16000)) / 16000)
    soundfile.write(path, wave, 16000)


def test_your_notes(tmp_path):
    commands = write_files("notes", tmp_path)
    folder, targets = dry_run(commands)
    for instrument in ("piano", "violin"):
        for pitch in range(48, 84):
            tone(tmp_path / folder / f"recordings/{instrument}-{pitch:03d}.wav", 0.1)
    made = f"{folder}/make_sheet.py"
    assert f"python {made}" in commands
    subprocess.run([sys.executable, tmp_path / made], check=True)
    sheet = pd.read_csv(tmp_path / folder / "config/notes.tsv", sep="\t")
    assert (len(sheet), sheet["pitch"].min(), set(sheet["instrument"])) == (
        72, 48, {"piano", "violin"},
    )  # fmt: skip
    planned = Study(tmp_path / folder).planned(*targets)
    assert planned["train_nano"] == planned["encode_stimuli"] == planned["plot_helix"] == 1
    assert planned["dump_activations"] == planned["fit_helix"] == 5


def test_your_songs(tmp_path):
    commands = write_files("songs", tmp_path)
    folder, targets = dry_run(commands)
    assert targets == ["songs"]
    sheet = pd.read_csv(tmp_path / folder / "config/songs.tsv", sep="\t")
    for path in sheet["audio"]:
        tone(tmp_path / folder / "config" / path)
    for path in sheet["lyrics"]:
        if path != "inst":
            text = tmp_path / folder / "config" / path
            text.parent.mkdir(exist_ok=True)
            text.write_text("a line\n")
    planned = Study(tmp_path / folder).planned(*targets)
    assert planned["separate_stems"] == planned["align_lyrics"] == planned["index_songs"] == 1
    assert planned["thin_stems"] == 1
    assert planned["fetch_weights"] >= 6, "the models are downloaded by a rule"


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the workflow needs, with the family of CONTRIBUTING.md in it."""
    tracked = subprocess.run(
        ["git", "ls-files", "Snakefile", "rules", "workflow", "envs", "profiles", "config"],
        cwd=ROOT, check=True, text=True, capture_output=True,
    ).stdout  # fmt: skip
    for name in tracked.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / name).chmod((ROOT / name).stat().st_mode)
    page = (ROOT / "CONTRIBUTING.md").read_text()
    package = tmp_path / "workflow/scripts/rasen"
    code = re.search(r"```python\n(.*?)```", page, re.S)[1]
    (package / "families/wave_gru.py").write_text(code)
    (entry,) = re.findall(r'    "wave_gru": FamilyEntry\(.*?\),\n', tutorial_of_models(), re.S)
    registry = package / "study/registry.py"
    before, head, after = registry.read_text().partition("FAMILIES = {\n")
    registry.write_text(before + head + entry + after)
    return tmp_path


def tutorial_of_models():
    return (TUTORIALS / "model.md").read_text()


def test_your_model(checkout):
    commands = write_files("model", checkout)
    folder, targets = dry_run(commands)
    assert "PYTHONPATH=workflow/scripts python make_checkpoint.py" in commands
    subprocess.run(
        [sys.executable, "make_checkpoint.py"], cwd=checkout, check=True,
        env={"PYTHONPATH": str(checkout / "workflow/scripts"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    planned = Study(checkout / folder, checkout).planned(*targets)
    assert planned["check_weights"] == 1
    assert planned["dump_activations"] == planned["measure_perplexity"] == planned["fit_helix"] == 3
