"""Explorers of several studies, and a browser that looks at them."""

from pathlib import Path

import made
import numpy as np
import pandas as pd
import pytest
import yaml
from browser import Browser, find_chromium
from made import written

from rasen.io.audio import mp3_bytes


@pytest.fixture(scope="session")
def browser():
    if not find_chromium():
        pytest.skip("no Chromium here (apt-get install chromium): the page is not looked at")
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page(browser):
    page = browser.page()
    yield page
    page.close()


TIMES = "s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t654.68\t11\n-\t-\t-\t-\n"


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """Two routes, three layers, notes, probes and times; a space in the folder's name."""
    folder = tmp_path_factory.mktemp("a study")
    times = [("fit_helix/nano/trained.tsv", TIMES), ("train_nano.tsv", TIMES)]
    return written(folder, made.study_tables(), benchmarks=times)


@pytest.fixture(scope="session")
def empty(tmp_path_factory) -> Path:
    """No models, nothing measured."""
    return written(tmp_path_factory.mktemp("empty"), {}, "seed: 0\nmodels: {}\n")


@pytest.fixture(scope="session")
def one_point(tmp_path_factory) -> Path:
    """Only the trained point of a model of one layer."""
    tables = made.study_tables(points=1, layers=1, instruments=1)
    return written(tmp_path_factory.mktemp("one"), tables)


@pytest.fixture(scope="session")
def text(tmp_path_factory) -> Path:
    """A text model: perplexity and probes, no notes."""
    tables = made.study_tables(model="llama")
    kept = ("points", "perplexity", "probes", "similarity")
    config = made.CONFIG.replace("nano", "llama")
    return written(tmp_path_factory.mktemp("text"), {name: tables[name] for name in kept}, config)


@pytest.fixture(scope="session")
def sounding(tmp_path_factory) -> Path:
    """Notes of three keys, of which the middle one sounds."""
    rate, keys = 24000, 3
    sound = np.zeros(rate // 2 * keys, np.float32)
    middle = slice(rate // 2, rate)
    sound[middle] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)
    row = {"instrument": "instrument 1", "mp3": mp3_bytes(sound, rate), "lowest": 48}
    sounds = pd.DataFrame([row]).assign(keys=keys, seconds=0.5, rate=rate)
    folder = tmp_path_factory.mktemp("sounding")
    (folder / "notes/rendered").mkdir(parents=True)
    sounds.to_parquet(folder / "notes/rendered/notes.parquet")
    return written(folder, made.study_tables(), also=[folder / "notes/rendered/notes.parquet"])


HOSTILE = (
    '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>\'"`&amp;'
    "\u2028 ${window.hacked=1} =HYPERLINK(1)"
)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Path:
    """Every text of every table is an attack."""
    tables = made.study_tables(points=3, model=HOSTILE)
    routes = {"linear": f"linear+{HOSTILE}"}
    for name, table in tables.items():
        table = table.replace({"route": routes}) if "route" in table else table
        for column in ("point", "point_2", "stimuli", "instrument", "task", "metric"):
            if column in table:
                table[column] = table[column].map(lambda value: f"{value}{HOSTILE}")
        tables[name] = table
    tables["helix"]["verdict"] = HOSTILE
    model = {"family": HOSTILE, "weights": HOSTILE}
    config = yaml.safe_dump({"seed": 0, "models": {HOSTILE: model}})
    return written(tmp_path_factory.mktemp("hostile"), tables, config)
