"""Every pin has hashes, and only files that have one of them are installed."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVS = ROOT / "envs"
PINS = sorted(ENVS.glob("*.txt"))


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def builds():
    """Packages whose builds differ, as those know who install and who write hashes."""
    named = re.search(r"^builds='\^\((.*)\)=='", (ROOT / "workflow/install-pins").read_text(), re.M)
    written = re.search(r"^BUILDS = \{(.*)\}", (ENVS / "hashes.py").read_text(), re.M)
    assert set(named[1].split("|")) == set(re.findall(r'"(.*?)"', written[1]))
    return set(named[1].split("|"))


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.stem)
def test_every_pin_has_hashes(path):
    blocks = re.split(r"\n(?=\S)", (ENVS / "pins.sha256").read_text())
    hashed = {
        block.split()[0]: re.findall(r"^    --hash=sha256:[0-9a-f]{64}\b", block, re.M)
        for block in blocks
    }
    pins = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    pins = [pin for pin in pins if pin]
    assert len(pins) > 3
    for pin in pins:
        name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)", pin).groups()
        assert name in builds() or hashed.get(f"{canonical(name)}=={version}"), pin


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The python of an environment with nothing but pip."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin/python"


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose environment "tiny" has one pin, as people write them, and its wheel."""
    for folder in ("workflow", "envs", "wheels"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "workflow/install-pins", tmp_path / "workflow")
    (tmp_path / "envs/tiny.txt").write_text("# why\nTiny_Thing == 1.0  # because\n")
    about = "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n"
    wheel = tmp_path / "wheels/tiny_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny_thing.py", "x = 1\n")
        file.writestr("tiny_thing-1.0.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr("tiny_thing-1.0.dist-info/WHEEL", kind)
        file.writestr("tiny_thing-1.0.dist-info/RECORD", "")
    return tmp_path


def install(checkout, python, *digests, pin="tiny-thing==1.0"):
    """Install "tiny" where these hashes of a pin are known; (whether that went well, its words)."""
    hashes = " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in digests)])
    (checkout / "envs/pins.sha256").write_text(f"other==1 \\\n    --hash=sha256:0\n{hashes}\n")
    place = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1",
             "PIP_FIND_LINKS": str(checkout / "wheels")}  # fmt: skip
    done = subprocess.run(
        [checkout / "workflow/install-pins", python, "tiny"],
        capture_output=True, text=True, env=os.environ | place,
    )  # fmt: skip
    there = subprocess.run([python, "-c", "import tiny_thing"], capture_output=True)
    assert (done.returncode == 0) == (there.returncode == 0)
    return done.returncode == 0, done.stderr


def test_only_a_file_of_a_known_hash_is_installed(checkout, empty):
    wheel = next((checkout / "wheels").iterdir())
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    installed, said = install(checkout, empty, "0" * 64)
    assert not installed
    assert "DO NOT MATCH THE HASHES" in said
    assert digest in said
    installed, said = install(checkout, empty, digest, pin="tiny-thing==2.0")
    assert not installed, "its version has no hash"
    assert "Hashes are required" in said
    installed, said = install(checkout, empty, "0" * 64, digest)  # of another platform, and its own
    assert installed, said


@pytest.mark.parametrize("hook", sorted(ENVS.glob("*.post-deploy.sh")), ids=lambda path: path.name)
def test_the_hook_for_conda_installs_the_same(hook, tmp_path):
    """Snakemake runs a copy of it, somewhere else, where `python` is that of the environment."""
    (tmp_path / "workflow").mkdir()
    stub = tmp_path / "workflow/install-pins"
    stub.write_text('#!/bin/sh\necho "installs $*"\n')
    stub.chmod(0o755)
    copy = shutil.copy(hook, tmp_path / "0123.post-deploy.sh")
    place = os.environ | {"RASEN_CHECKOUT": str(tmp_path)}
    done = subprocess.run(["bash", copy], env=place, capture_output=True, text=True, check=True)
    env = hook.name.removesuffix(".post-deploy.sh")
    assert done.stdout == f"installs python {env}\n"
    assert (ENVS / f"{env}.txt").is_file()
    assert "os.environ.update(RASEN_CHECKOUT=str(ROOT))" in (ROOT / "rules/startup.smk").read_text()
