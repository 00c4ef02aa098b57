"""The explorer of the small workflow: what it shows, what reruns it, and where else it is found."""

import json
import re
import shutil
import zipfile

import pytest
from explorer.browser import Browser, find_chromium
from study import ROOT, Study

from rasen.explorer.subjects import SUBJECTS


@pytest.fixture(scope="module")
def explored(finished):
    finished.snakemake("explorer")
    return finished


def data(study, name, number=0):
    """What a data file puts."""
    path = f"results/explorer/data/{name}{'' if name == 'index' else f'/{number}'}.js"
    text = (study.folder / path).read_text()
    return json.loads(text.removeprefix(f'rasen.put("{name}",{number},').removesuffix(");\n"))


def test_it_has_what_the_config_asks_for(explored):
    index = data(explored, "index")
    assert {"overview", "points", "perplexity", "helix_fits", "helix_notes"} <= set(index)
    assert {part["model"] for part in index["helix_notes"]} == {
        name for name, model in explored.config["models"].items() if model.get("helix")
    }
    assert {"baseline", "linear"} <= {part["route"] for part in index["helix_notes"]}
    models = data(explored, "overview")["values"]["models"]
    assert [model["name"] for model in models] == list(explored.config["models"])
    assert sum(data(explored, "jobs")["sizes"].values()) > 5
    assert not list(explored.folder.rglob("explorer.partial"))


def test_nothing_reruns_it_but_what_it_shows(explored):
    assert explored.planned("explorer") == {}
    undo = explored.edit(lambda config: config["perplexity"].update(bootstrap=150))
    try:
        planned = explored.planned("explorer")
    finally:
        undo()
    assert planned["write_explorer"] == 1
    assert planned["gather_perplexity"] == 1
    assert "fit_helix" not in planned


def test_the_page_of_the_demo_is_given_every_table_that_it_can_show(tmp_path):
    """Tables that are made on the way to a figure alone are inputs of the page, too."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    jobs = re.split(r"^(?:local)?rule ", Study(tmp_path).snakemake("-n", "explorer"), flags=re.M)
    (given,) = (re.search(r"input: (.*)", job)[1] for job in jobs if job.startswith("write_ex"))
    made = {
        name
        for job in jobs
        if (output := re.search(r"output: (.*)", job))
        for name in re.findall(r"results/tables/(\w+)\.parquet", output[1])
    }
    shown = {name for subject in SUBJECTS for name in subject.tables}
    assert {"similarity", "probes"} <= made & shown
    assert made & shown <= set(re.findall(r"results/tables/(\w+)\.parquet", given))


def test_a_report_that_is_a_folder_holds_it(explored, tmp_path):
    explored.snakemake("explorer", "--report", tmp_path / "report.zip")
    with zipfile.ZipFile(tmp_path / "report.zip") as file:
        names = file.namelist()
    (page,) = (name for name in names if name.endswith("/index.html"))
    assert page.replace("index.html", "data/index.js") in names


def test_it_opens_in_a_browser(explored):
    if not find_chromium():
        pytest.skip("no Chromium here: the page is not looked at")
    browser = Browser()
    try:
        page = browser.page()
        for view in page.open(explored.folder / "results/explorer").run(
            "rasen.views.map(v => v.name)"
        ):
            page.open(explored.folder / "results/explorer", f"view={view}")
            page.settle()
            assert not page.problems, view
    finally:
        browser.close()
