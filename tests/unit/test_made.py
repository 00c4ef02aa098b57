"""What the explorer adds when it is there: tables that are requested by name."""

import os
from pathlib import Path

import pytest

from rasen.study import made


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(*names):
    for name in names:
        path = Path("results") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_nothing_is_there_before_it_is_made():
    assert made.made_tables() == made.sounding_tables() == []


def test_what_is_there_has_a_fixed_order_and_a_bound(monkeypatch):
    monkeypatch.setattr(made, "BATCHES", 2)
    batches = [f"batches/measure_peaks/0000{number}.parquet" for number in (2, 0, 1)]
    write("tables/helix.parquet", "tables/scores.parquet", "tables/songs.parquet", *batches)
    assert made.made_tables() == [
        "results/tables/songs.parquet",
        "results/tables/scores.parquet",
        "results/batches/measure_peaks/00000.parquet",
        "results/batches/measure_peaks/00001.parquet",
    ]
    assert made.sounding_tables() == made.made_tables()[2:]


def test_another_table_is_a_change_and_the_same_is_none():
    write("tables/songs.parquet")
    before = made.changed(made.made_tables())
    assert made.changed(made.made_tables()) == before
    os.utime("results/tables/songs.parquet", ns=(1, 1))
    assert made.changed(made.made_tables()) != before
