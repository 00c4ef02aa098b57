"""The backend `allin1`, in its own environment, on checkpoints of the genuine format."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from rasen.errors import RasenError
from rasen.songs.structure import allin1, labels

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("allin1")
    python = subprocess.check_output([ROOT / "workflow/install", "allin1"], text=True).strip()
    worker = Path(__file__).with_name("random_allin1.py")
    subprocess.run([python, worker, folder], check=True)
    return json.loads((folder / "found.json").read_text())


def test_sections_cover_the_song(found):
    for each in found.values():
        rows = each["segments"]
        assert rows[0]["start"] == 0
        assert rows[-1]["end"] == 20
        assert all(a["end"] == b["start"] for a, b in pairwise(rows))
        assert all(row["label"] in labels.FLAGS for row in rows)
        assert all(0.1 <= sure < 1 for sure in each["confidence"])  # the largest of ten shares


def test_beats_come_along(found):
    beats = found["two"]["beats"]
    assert len(beats) > 10
    assert beats == sorted(beats)
    assert set(found["two"]["downbeats"]) <= set(beats)
    assert 40 < found["two"]["bpm"] < 260


def test_two_stems_are_four_with_silence(found):
    assert found["two"] == found["four"]


def test_an_ensemble_is_neither_of_its_networks(found):
    sure = [found[f"{name}two"]["confidence"] for name in ("", "harmonix-fold0", "harmonix-fold1")]
    assert len(set(map(tuple, sure))) == 3


def test_a_folder_without_checkpoints(tmp_path):
    with pytest.raises(RasenError, match=r"no harmonix-fold\*\.pth"):
        allin1.open_model(tmp_path)


class Malice:
    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 cut short", b"<html>", [], {"config": {}}, {"x": Malice()}]
)
def test_a_damaged_checkpoint_is_one_line(tmp_path, capsys, content):
    path = tmp_path / "harmonix-fold0-0vra4ys2.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(
        RasenError, match=r"fold0-0vra4ys2\.pth: damaged or not plain .*; copy"
    ) as e:
        allin1.open_model(tmp_path)
    assert "\n" not in str(e.value)
    assert capsys.readouterr().out == ""


def test_the_stage_runs_in_its_environment():
    """Every module that the stage's script reads is in the environment."""
    command = [ROOT / "workflow/py", "allin1", "tag_structure.py", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "--lyrics-ledger" in told
