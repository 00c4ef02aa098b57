"""Results packed on one machine and taken up on another, where no model and no recording is."""

import hashlib
import json
import os
import random
import shutil
import time
import zipfile

import pytest
from study import Study

from rasen.study import archive as archives

HELIX_AGAIN = {
    "fit_helix": 5,
    "fit_baselines": 1,
    "gather_helix": 1,
    "align_helix": 1,
    "plot_helix": 1,
}


@pytest.fixture(scope="module")
def archive(finished):
    """Of a study whose report was written by hand before."""
    (finished.folder / "results/report").mkdir()
    finished.snakemake("--report", "results/report/report.html")
    finished.snakemake("share")
    return finished.folder / "results/share.zip"


def unpack(archive, folder):
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return Study(folder)


def shuffle_dates(folder):
    """As a copy without dates leaves them: all new, in any order."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    random.Random(0).shuffle(files)
    for age, path in enumerate(files):
        date = time.time() - len(files) + age
        os.utime(path, (date, date))


def test_there_is_nothing_to_do_and_an_edit_reruns_its_stage(archive, tmp_path):
    received = unpack(archive, tmp_path)
    assert not list(tmp_path.glob("results/activations/**/*.h5"))
    assert not (tmp_path / "resources").exists()
    assert received.planned() == {}
    shuffle_dates(tmp_path / "results")
    assert received.planned() == {}
    received.edit(lambda config: config["perplexity"].update(bootstrap=150))
    assert received.planned() == {"gather_perplexity": 1, "plot_perplexity": 2}
    received.snakemake()  # needs no weights, no recordings
    assert received.planned() == {}


def test_what_needs_the_missing_weights_says_so(archive, tmp_path):
    received = unpack(archive, tmp_path)
    received.edit(lambda config: config["models"]["llama"].update(window=8))
    output = received.snakemake(ok=False)
    assert "models.llama.weights: models/llama does not exist; give a local" in output
    assert "Traceback" not in output


def test_the_embedded_model_is_trained_anew_where_its_weights_are_needed(archive, tmp_path):
    received = unpack(archive, tmp_path)
    received.edit(lambda config: config["helix"].update(null_draws=29))
    planned = received.planned()
    assert planned["train_nano"] == 1
    assert planned["fit_helix"] == 5


def test_with_activations_the_helix_can_be_fitted_anew(finished, archive, tmp_path):
    undo = finished.edit(
        lambda config: config.update(
            share={"with": ["activations", "saes", "tokens"], "license": "CC0-1.0"}
        )
    )
    try:
        assert finished.planned("share") == {
            "write_config": 1,
            "write_explorer": 1,
            "write_report": 1,
            "pack_results": 1,
        }
        finished.snakemake("share")
        received = unpack(archive, tmp_path)
    finally:
        undo()
    assert received.planned() == {}
    received.edit(lambda config: config["helix"].update(null_draws=29))
    assert received.planned() == HELIX_AGAIN
    crate = json.loads((tmp_path / archives.METADATA).read_text())
    assert crate["@graph"][1]["license"] == "CC0-1.0"


def test_the_archive_describes_itself(archive, tmp_path):
    unpack(archive, tmp_path)
    crate = json.loads((tmp_path / archives.METADATA).read_text())
    entities = {each["@id"]: each for each in crate["@graph"]}
    assert len(entities) == len(crate["@graph"])
    named = {part["@id"] for part in entities["./"]["hasPart"]}
    for line in (tmp_path / archives.MANIFEST).read_text().splitlines():
        digest, name = line.split("  ", 1)
        data = (tmp_path / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest == entities[name]["sha256"]
        assert int(entities[name]["contentSize"]) == len(data)
        named.remove(name)
    assert not named
    for name in ("tables/perplexity.parquet", "report/report.html", "config.yaml",
                 "explorer/index.html",
                 "figures/helix/nano/alpha.svg", ".provenance.sqlite"):  # fmt: skip
        assert f"results/{name}" in entities
    for reference in (each for e in entities.values() for each in e.get("result", [])):
        assert reference["@id"] in entities


def test_no_path_of_this_machine_travels(archive, finished, tmp_path):
    unpack(archive, tmp_path)
    records = (tmp_path / archives.DATABASE).read_bytes()
    assert str(finished.folder).encode() not in records


def test_results_can_be_moved(finished, tmp_path):
    """The folder copied by hand, as it is."""
    shutil.copytree(finished.folder, tmp_path / "moved", symlinks=True)
    moved = Study(tmp_path / "moved")
    shuffle_dates(moved.folder / "results")
    assert moved.planned() == {}
    moved.edit(lambda config: config["perplexity"].update(bootstrap=150))
    assert moved.planned() == {"gather_perplexity": 1, "plot_perplexity": 2}
