"""Records of what ran follow the results to another folder."""

import sqlite3

import pytest

from rasen import provenance
from rasen.errors import RasenError

TABLES = (
    "CREATE TABLE snakemake_metadata (rule, endtime FLOAT, namespace, target,"
    " PRIMARY KEY (namespace, target))",
    "CREATE TABLE snakemake_locks (namespace, file_path)",
)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "provenance.sqlite"
    with sqlite3.connect(path) as connection:
        for table in TABLES:
            connection.execute(table)
    return path


def write(path, *rows):
    with sqlite3.connect(path) as connection:
        connection.executemany("INSERT INTO snakemake_metadata VALUES (?, ?, ?, ?)", rows)


def records(path):
    with sqlite3.connect(path) as connection:
        return sorted(connection.execute("SELECT target, rule, namespace FROM snakemake_metadata"))


def test_the_newest_record_of_every_file_moves_in(database, tmp_path):
    here = str(tmp_path / ".snakemake")
    write(
        database,
        ("old", 1.0, "/elsewhere/.snakemake", "a"),
        ("new", 2.0, here, "a"),
        ("newer", 3.0, "/elsewhere/.snakemake", "b"),
        ("older", 2.5, here, "b"),
        ("unfinished", None, "/elsewhere/.snakemake", "c"),
    )
    for _ in range(2):
        provenance.adopt(database, tmp_path)
        assert records(database) == [
            ("a", "new", here), ("b", "newer", here), ("c", "unfinished", here),
        ]  # fmt: skip


def test_results_in_use_under_another_name_are_left_alone(database, tmp_path):
    write(database, ("a", 1.0, "/elsewhere/.snakemake", "a"))
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO snakemake_locks VALUES ('/elsewhere/.snakemake', 'a')")
    with pytest.raises(RasenError, match=r"runs in /elsewhere; wait .* snakemake --unlock"):
        provenance.adopt(database, tmp_path)
    assert records(database)[0][2] == "/elsewhere/.snakemake"
    provenance.adopt(database, tmp_path, unlock=True)
    assert records(database)[0][2] == str(tmp_path / ".snakemake")


def test_no_database_and_an_empty_one_are_left_alone(tmp_path):
    provenance.adopt(tmp_path / "none.sqlite", tmp_path)
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "empty.sqlite").touch()
    provenance.adopt(tmp_path / "empty.sqlite", tmp_path)
