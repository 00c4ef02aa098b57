"""Models of the songs: checked by the config's checksums, and a bit that flips later is noticed."""

import hashlib
import json

import pytest
from song_study import songs_alone
from test_faults import flip

CERTIFICATE = "results/weights/songs/sketch.model.json"


@pytest.fixture
def study(tmp_path):
    """Songs whose MuQ and VAE lie in folders of the user's; they are hashed, not opened."""
    study = songs_alone(tmp_path)
    for name in ("muq", "vae"):
        folder = study.folder / name
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / f"{name}.safetensors").write_bytes(bytes(range(256)) * 100)

    def change(config):
        config["songs"]["sketch"]["model"] = "./muq"
        config["songs"]["latents"]["model"] = "./vae"

    study.edit(change)
    return study


def test_checksums_of_the_config_hold(study):
    right = hashlib.sha256(bytes(range(256)) * 100).hexdigest()
    wrong = {"sketch.model": {"muq.safetensors": "0" * 64, "other.safetensors": right}}
    undo = study.edit(lambda config: config["songs"].update(sha256=wrong))
    study.snakemake(CERTIFICATE, ok=False)
    log = (study.folder / "logs/check_song_weights/sketch.model.log").read_text()
    assert f"muq/muq.safetensors: {right}, but the config's sha256 says 0000" in log
    assert "muq/other.safetensors: no such file" in log
    assert "Traceback" not in log
    assert not (study.folder / CERTIFICATE).exists()
    undo()
    good = {"sketch.model": {"muq.safetensors": right.upper()}}
    study.edit(lambda config: config["songs"].update(sha256=good))
    study.snakemake(CERTIFICATE)
    recorded = json.loads((study.folder / CERTIFICATE).read_text())
    assert recorded["sha256"]["muq.safetensors"] == right
    assert recorded["bytes"] == {"config.json": 2, "muq.safetensors": 25600}

    unknown = {"sketch.muq": good["sketch.model"]}
    study.edit(lambda config: config["songs"].update(sha256=unknown))
    output = study.snakemake("--dry-run", CERTIFICATE, ok=False)
    assert "songs.sha256.sketch.muq: no such model; did you mean 'sketch.model'?" in output


def test_what_encodes_waits_for_the_check_and_the_codebook_is_not_trained_anew(study):
    planned = study.planned("songs")
    songs = study.config["songs"]
    assert songs["align"]["whisper"]
    aligners = len(songs["align"]["aligners"])
    assert planned["check_song_weights"] == aligners + len(("whisper", "sketch", "latents"))
    output = study.snakemake("--dry-run", "results/sketch/codebook.safetensors")
    job = output[output.index("rule train_codebook:") :].split("\n\n")[0]
    assert "results/weights" not in job, "a new input would train the codebook of old studies anew"
    assert output.index("rule check_song_weights:") < output.index("rule train_codebook:")


def test_a_bit_of_a_songs_model_flips(study):
    study.snakemake(CERTIFICATE)
    flip(study.folder / "muq/muq.safetensors")
    batch = "results/tables/recordings.parquet"  # asks for the certificate
    output = study.snakemake("--forcerun", "gather_recordings", "--", batch, ok=False)
    (line,) = [line for line in output.splitlines() if "its bytes" in line]
    assert line.strip().startswith("muq/muq.safetensors: ")
    assert CERTIFICATE in line
    assert "--forcerun check_song_weights" in line
    study.snakemake("--forcerun", "check_song_weights", "--", batch)
