"""The `jukebox` family against transformers' own Jukebox, in an environment of its own."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_jukebox_is_transformers_own():
    """All of checks.py passes in `envs/jukebox.txt` (transformers 4.57.6)."""
    command = [ROOT / "workflow/install", "jukebox", "jukebox-test"]
    python = subprocess.check_output(command, text=True).strip()
    checks = Path(__file__).with_name("checks.py")
    command = [python, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", checks]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
