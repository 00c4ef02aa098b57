"""Downloads, with the hub's client replaced: what is asked for, and how failure is told."""

import huggingface_hub
import pytest

from rasen.errors import RasenError
from rasen.families import FAMILIES
from rasen.study.registry import VAE_FILES
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
    hub.fetch("facebook/musicgen-small@abc", tmp_path / "m", [FILES])
    assert asked["name"] == "facebook/musicgen-small"
    assert asked["revision"] == "abc"
    assert "*.safetensors" in asked["allow_patterns"]
    assert "state_dict.bin" not in asked["allow_patterns"]
    assert "pytorch_model*.bin" not in asked["allow_patterns"]


def test_every_use_of_a_repository_gets_its_files(asked, tmp_path):
    """SongBloom's holds a network and a VAE."""
    asked["files"] = ["songbloom_full_150s.pt", "songbloom_full_150s_dpo.pt", "autoencoder.ckpt"]
    uses = [FAMILIES["songbloom"].weight_files, VAE_FILES]
    hub.fetch("a/b", tmp_path / "m", uses)
    assert asked["allow_patterns"][-2:] == ["songbloom_full_150s.pt", "autoencoder*.ckpt"]


def test_old_repositories_give_pytorch_files(asked, tmp_path):
    asked["files"] = ["config.json", "pytorch_model.bin"]
    hub.fetch("a/b", tmp_path / "m", [FILES])
    assert "pytorch_model*.bin" in asked["allow_patterns"]


def test_failure_names_the_cures_and_the_next_try_goes_on(asked, monkeypatch, tmp_path):
    folder = tmp_path / "m"

    def breaks_off(*arguments, local_dir, **options):
        (local_dir / "model.safetensors.incomplete").write_text("half")
        raise ConnectionError("Connection reset\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", breaks_off)
    with pytest.raises(RasenError, match="correct `weights`, or copy the checkpoint to") as error:
        hub.fetch("a/b", folder, [FILES])
    assert "a/b: neither a folder here nor to be had from the hub (Connection" in str(error.value)
    assert f"run again to go on with what is in {tmp_path}/.m.download" in str(error.value)
    assert not folder.exists(), "a folder that is there is whole"

    def completes(*arguments, local_dir, **options):
        half = local_dir / "model.safetensors.incomplete"
        (local_dir / "model.safetensors").write_text(half.read_text() + " and half")
        half.unlink()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", completes)
    hub.fetch("a/b", folder, [FILES])
    assert (folder / "model.safetensors").read_text() == "half and half"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A function that puts files of a/b into the hub's cache; the hub itself is out of reach."""
    home = tmp_path / "cache/models--a--b"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def put(commit, **files):
        (home / "blobs").mkdir(parents=True, exist_ok=True)
        (home / "refs").mkdir(exist_ok=True)
        (home / "refs/main").write_text(commit)
        (home / f"snapshots/{commit}").mkdir(parents=True)
        for name, text in files.items():
            (home / f"blobs/{commit}-{name}").write_text(text)
            link = home / f"snapshots/{commit}" / name.replace("_", ".")
            link.symlink_to(f"../../blobs/{commit}-{name}")

    return put


def test_the_hubs_cache_is_used_where_the_hub_is_out_of_reach(cache, tmp_path, capsys):
    cache("1" * 40, config_json="{}", model_safetensors="old")
    cache("2" * 40, config_json="{}", model_safetensors="new", flax_msgpack="no", README_md="no")
    hub.fetch("a/b", tmp_path / "m", [FILES])
    assert {p.name: p.read_text() for p in (tmp_path / "m").iterdir()} == {
        "config.json": "{}", "model.safetensors": "new",
    }  # fmt: skip
    assert not any(path.is_symlink() for path in (tmp_path / "m").iterdir())
    assert "copied from its cache" in capsys.readouterr().out
    hub.fetch(f"a/b@{'1' * 40}", tmp_path / "old", [FILES])
    assert (tmp_path / "old/model.safetensors").read_text() == "old"


@pytest.mark.parametrize("files", [
    {}, {"config_json": "{}"},
    {"a_safetensors": "",
     "m_safetensors_index_json": '{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}'},
])  # fmt: skip
def test_a_cache_that_lacks_weights_is_not_used(cache, tmp_path, files):
    if files:
        cache("1" * 40, **files)
    with pytest.raises(RasenError, match="neither a folder here nor to be had from the hub"):
        hub.fetch("a/b", tmp_path / "m", [FILES])
    assert not (tmp_path / "m").exists()


def test_audiocraft_takes_its_own_file(asked, tmp_path):
    asked["files"] = ["config.json", "model.safetensors", "state_dict.bin"]
    hub.fetch("a/b", tmp_path / "m", [FAMILIES["audiocraft"].weight_files])
    assert "state_dict.bin" in asked["allow_patterns"]
    assert "*.safetensors" not in asked["allow_patterns"]
