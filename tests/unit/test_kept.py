"""Which changes of weights stop a run, and which are exchanges."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from rasen.errors import RasenError
from rasen.io.hashes import hash_file
from rasen.weights.kept import changed_weights, keep_hashes, record_of

CERTIFICATE = "results/weights/a/trained.json"
USES = SimpleNamespace(input=[CERTIFICATE], output=["x"], rule=SimpleNamespace(name="dump"))
MAKES = SimpleNamespace(
    input=[], output=[CERTIFICATE], rule=SimpleNamespace(name="check_weights")
)  # fmt: skip


def never(job):
    return False


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of weights in a folder that was certified, in a working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a b" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(bytes(1000))
    (path.parent / "notes.txt").write_text("not read\n")
    kept = keep_hashes(record_of(CERTIFICATE), {"a b": ["*.safetensors", "model.*"]})
    assert [each.path for each in kept] == ["a b/model.safetensors"]
    assert changed_weights([USES], never) == []
    return path


def change(path, later):
    """Another bit in the middle of a file; `later`: with another date, too."""
    about = path.stat()
    path.write_bytes(bytes(500) + b"\1" + bytes(499))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + later * 10**9))


@pytest.mark.parametrize(
    ("later", "jobs", "forced", "stops"),
    [
        (False, [USES], never, True),
        (False, [USES, MAKES], never, True),  # its ends are others: still the same date
        (False, [USES, MAKES], lambda job: job is MAKES, False),
        (True, [USES, MAKES], never, False),  # exchanged, and certified anew
        (True, [USES], never, True),  # so far in the middle that planning did not see it
        (False, [], never, False),  # nobody opens it
    ],
)
def test_changed_bytes(weights, later, jobs, forced, stops):
    change(weights, later)
    lines = changed_weights(jobs, forced)
    assert len(lines) == stops
    for line in lines:
        assert line.startswith("a b/model.safetensors: its bytes are not those that ")
        assert line.endswith("run snakemake --forcerun check_weights")


def test_what_is_no_change(weights):
    os.utime(weights)  # touched
    assert changed_weights([USES], never) == []
    weights.unlink()  # the job that needs it says so
    assert changed_weights([USES], never) == []
    record_of(CERTIFICATE).unlink()  # not certified on this machine
    assert changed_weights([USES], never) == []


@pytest.mark.parametrize("flipped", [False, True])
def test_results_from_elsewhere_have_their_certificate_alone(weights, flipped):
    kept = hash_file(weights)
    record_of(CERTIFICATE).unlink()
    said = {"bytes": {weights.name: 1000}, "sha256": {weights.name: kept}}
    Path(CERTIFICATE).write_text(json.dumps(said))
    if flipped:
        change(weights, later=False)
    lines = changed_weights([USES], never, lambda certificate: "a b")
    assert len(lines) == flipped
    assert record_of(CERTIFICATE).exists() != flipped  # and so it is read once
    assert changed_weights([USES], never, lambda certificate: None) == []


def test_a_damaged_record_is_named(weights):
    record_of(CERTIFICATE).write_text("1\t2\n")
    with pytest.raises(RasenError, match=r"trained\.tsv: damaged; delete it"):
        changed_weights([USES], never)
