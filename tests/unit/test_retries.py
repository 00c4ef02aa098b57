"""Failed jobs are tried again where that may help."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rasen.study.retries import TAIL, failed_for_good

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"
SNAKEFILE = """
import sys, time
sys.path.insert(0, {scripts!r})
import snakemake.jobs
from rasen.study.retries import stop_vain_retries
stop_vain_retries(snakemake.jobs, begun=time.time())

rule a:
    output: "a"
    log: "a.log"
    shell: "echo one >> attempts; echo {line:q} > {{log}}; exit 1"
"""


@pytest.mark.parametrize(
    ("text", "for_good"),
    [
        ("loading\nError: songs/a.flac: is damaged; replace it\n", True),
        ("Error: the configuration has mistakes:\n  one\n  another\n\n", True),
        ("x" * 2 * TAIL + "\nError: a.h5: is damaged\n", True),
        ("Error: [Errno 28] No space left on device: 'a'\n", False),
        ("Error: the GPU has too little memory; lower batch\n", False),
        (
            "Error: a/b: neither a folder here nor to be had from the hub (reset) or its cache\n",
            False,
        ),
        ("step 3 of 10\n", False),
        ("Error: early\nbut it went on\n", False),
        ("Traceback (most recent call last):\n  File\nValueError: no\n", False),
        ("slurmstepd: error: Detected 1 oom_kill event\n", False),
        ("", False),
    ],
)
def test_errors_that_stay(tmp_path, text, for_good):
    log = tmp_path / "a.log"
    log.write_text(text)
    assert failed_for_good([str(log)], time.time() - 10) == for_good
    os.utime(log, (1, 1))
    assert not failed_for_good([str(log)], time.time() - 10), "of an earlier run"


def test_a_log_that_is_not_there(tmp_path):
    assert not failed_for_good([str(tmp_path / "none.log")], 0.0)


@pytest.mark.parametrize(
    ("line", "attempts"), [("Error: a.wav: is silent; leave it out", 1), ("Killed", 3)]
)
def test_snakemake_tries_again_where_it_may_help(tmp_path, line, attempts):
    text = SNAKEFILE.replace("{line:q}", f"'{line}'").format(scripts=str(SCRIPTS))
    (tmp_path / "Snakefile").write_text(text)
    command = [Path(sys.executable).with_name("snakemake"), "--cores", "1", "--retries", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert len((tmp_path / "attempts").read_text().split()) == attempts, done.stderr
