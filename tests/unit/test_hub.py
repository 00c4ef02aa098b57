"""Downloads, with the hub's client replaced: what is asked for, and how failure is told."""

import huggingface_hub
import pytest

from rasen.errors import RasenError
from rasen.families import FAMILIES
from rasen.weights import hub

FILES = FAMILIES["musicgen"].weight_files


@pytest.fixture
def asked(monkeypatch):
    """Keyword arguments of the download that would have been made; `files` is on the hub."""
    seen = {"files": []}
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda *a, **k: seen["files"])
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **k: seen.update(k, name=name)
    )
    return seen


def test_safetensors_are_preferred_and_the_revision_is_kept(asked, tmp_path):
    asked["files"] = ["config.json", "model.safetensors", "pytorch_model.bin", "state_dict.bin"]
    hub.fetch("facebook/musicgen-small@abc", tmp_path / "m", FILES)
    assert asked["name"] == "facebook/musicgen-small"
    assert asked["revision"] == "abc"
    assert "*.safetensors" in asked["allow_patterns"]
    assert "state_dict.bin" not in asked["allow_patterns"]
    assert "pytorch_model*.bin" not in asked["allow_patterns"]


def test_old_repositories_give_pytorch_files(asked, tmp_path):
    asked["files"] = ["config.json", "pytorch_model.bin"]
    hub.fetch("a/b", tmp_path / "m", FILES)
    assert "pytorch_model*.bin" in asked["allow_patterns"]


def test_failure_names_both_cures_and_leaves_nothing(asked, monkeypatch, tmp_path):
    def unreachable(*arguments, **options):
        (tmp_path / "m").mkdir()
        raise ConnectionError("Name or service not known\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(RasenError, match="correct `weights`, or copy the checkpoint to") as error:
        hub.fetch("a/b", tmp_path / "m", FILES)
    assert "a/b: neither a folder here nor to be had from the hub (Name or" in str(error.value)
    assert not (tmp_path / "m").exists()


def test_audiocraft_takes_its_own_file(asked, tmp_path):
    asked["files"] = ["config.json", "model.safetensors", "state_dict.bin"]
    hub.fetch("a/b", tmp_path / "m", FAMILIES["audiocraft"].weight_files)
    assert "state_dict.bin" in asked["allow_patterns"]
    assert "*.safetensors" not in asked["allow_patterns"]
