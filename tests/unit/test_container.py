"""The container recipe: what goes in, and that jobs find its environments. No image is built."""

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "container/Containerfile").read_text()
PATTERNS = [
    line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
]
STAMP = "cat {files} {root}/envs/yte.py | sha256sum | cut -c1-16"


def left_out(path):
    """Whether .dockerignore keeps a file out of the image: the last pattern of it or a parent."""
    out = False
    names = Path(path).parts
    for pattern in PATTERNS:
        words = pattern.removeprefix("!").split("/")
        for end in range(1, len(names) + 1):
            part = names[:end]
            if words[0] == "**":
                matches = fnmatch(part[-1], words[1])
            else:
                matches = len(part) == len(words) and all(map(fnmatch, part, words))
            if matches:
                out = not pattern.startswith("!")
    return out


def tracked():
    return subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()


def test_every_environment_is_inside():
    environments = {path.stem for path in (ROOT / "envs").glob("*.txt")}
    inside = re.search(r'^ARG ENVIRONMENTS="(.*)"$', RECIPE, re.M)[1].split()
    assert set(inside) == {name for name in environments if not name.endswith("test")}
    assert inside[0] == "core"


def test_what_is_copied_is_there():
    copied = " ".join(re.findall(r"^COPY (.+) \S+$", RECIPE, re.M)).split()
    assert copied == ["envs", "workflow/install", "workflow/install-pins", "."]
    assert all((ROOT / path).exists() for path in copied)


def test_no_secret_and_no_address_is_written_down():
    assert not re.search(r"https?:|token|password|trusted-host|--index", RECIPE, re.I)
    assert re.findall(r"^USER (\S+)", RECIPE, re.M) == ["1000:1000"]


@pytest.mark.parametrize("path", [
    "results/tables/points.parquet", ".venv/bin/python", ".envs/songs/lib/x.py", ".git/config",
    ".snakemake/log", "resources/models/nano/model.safetensors", "resources/datasets/mine/a.flac",
    "examples/songbloom/results/share.zip", "examples/songbloom/resources/models/x", "notes.txt",
    "id_rsa", "studies/mine/config/config.yaml", "workflow/scripts/rasen/__pycache__/a.pyc",
    "share.zip", "tests/unit/test_container.py", "shared/key",
])  # fmt: skip
def test_what_is_the_users_stays_out(path):
    assert left_out(path)


def test_what_runs_goes_in():
    folders = ("workflow", "rules", "envs", "slurm", "cluster", "profiles", "config", "resources")
    for path in tracked():
        if path.split("/")[0] in folders or path == "Snakefile":
            assert not left_out(path), path


# --- jobs in the image


@pytest.fixture
def checkout(tmp_path):
    """A checkout as it reaches a pod: sources alone. The environments are in another folder."""
    folder, image = tmp_path / "a workdir", tmp_path / "image"
    for name in ("install", "py"):
        (folder / "workflow").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "workflow" / name, folder / "workflow" / name)
    shutil.copytree(ROOT / "envs", folder / "envs")
    for env, place in (("core", image / ".venv"), ("songs", image / ".envs/songs")):
        (place / "bin").mkdir(parents=True)
        (place / "bin/python").write_text('#!/bin/sh\necho "$0" "$@"\n')
        (place / "bin/python").chmod(0o755)
        files = f"'{folder}/envs/{env}.txt'"
        command = STAMP.format(files=files, root=f"'{folder}'")
        stamp = subprocess.check_output(command, shell=True, text=True)
        (place / f".installed-{env}").write_text(stamp)
    return folder, image


def run(checkout, *command, **env):
    folder, image = checkout
    env = {"PATH": "/usr/bin:/bin", "RASEN_ENVIRONMENTS": str(image)} | env
    return subprocess.run(
        [folder / "workflow" / command[0], *command[1:]], env=env, capture_output=True, text=True
    )


@pytest.mark.parametrize("inside", [{}, {"APPTAINER_CONTAINER": "/rasen.sif"}])
def test_jobs_find_the_environments_of_the_image_and_write_nothing(checkout, inside):
    folder, image = checkout
    before = sorted([*folder.rglob("*"), *image.rglob("*")])
    for env, place in (("core", ".venv"), ("songs", ".envs/songs")):
        done = run(checkout, "py", env, "a.py", "--b", "1", **inside)
        script = f"{folder}/workflow/scripts/a.py"
        assert done.stdout == f"{image}/{place}/bin/python {script} --b 1\n", done.stderr
    assert sorted([*folder.rglob("*"), *image.rglob("*")]) == before  # no lock, no install


def test_other_pins_than_the_images_are_told_and_not_installed(checkout):
    folder, image = checkout
    with (folder / "envs/songs.txt").open("a") as file:
        file.write("more==1.0\n")
    for env in ("songs", "jukebox"):
        done = run(checkout, "install", env)
        assert done.returncode == 1
        assert done.stderr == (
            f"Error: {image}/.envs/{env} was not made from {folder}/envs/{env}.txt; "
            "use the image of this version of Rasen\n"
        )
    assert not (image / ".envs/jukebox").exists()
    assert not (folder / ".envs").exists()
