"""Every column of every table has a word, and the pages say what the dictionary says."""

import json

import demo_tables
import pytest
from described import WORDS
from study import ROOT

from rasen.dictionary.page import TABLES, page
from rasen.dictionary.table import table
from rasen.probes.table import COLUMNS as PROBES
from rasen.scores.table import COLUMNS as SCORES
from rasen.songs.alignment import LINES
from rasen.songs.alignment import WORDS as WORDS_OF_SONGS
from rasen.songs.index import MEASURES, ORIGINS, QUARANTINE
from rasen.songs.scored import LEFT_OUT
from rasen.songs.shards import COLUMNS as SHARD
from rasen.songs.shards import VOCABULARY

OF_SHARD = [*SHARD, *VOCABULARY, "checksum", "offset", "frames", "shard"]
ORIGIN = [name for names in ORIGINS.values() for name in names]
BY_CODE = {  # tables whose columns the code lists
    "scores": SCORES,
    "scores_left_out": LEFT_OUT,
    "lines": LINES.names,
    "words": WORDS_OF_SONGS.names,
    "quarantine": QUARANTINE,
    "songs": [*OF_SHARD, *MEASURES, *ORIGIN, "split"],
    "probes": ["model", "route", "point", "position", *PROBES],
}
OF_DEMO = json.loads((demo_tables.HERE / "columns.json").read_text())


@pytest.mark.parametrize(("name", "columns"), [*OF_DEMO.items(), *BY_CODE.items()])
def test_every_column_has_a_word_and_no_word_lacks_its_column(name, columns):
    said = WORDS[name]
    assert not set(columns) - set(said), f"{name}: columns without a word"
    always = {column for column, word in said.items() if not word.optional}
    assert not always - set(columns), f"{name}: words without a column"


def test_no_table_is_described_twice_and_no_word_is_empty():
    assert len(WORDS) == len(TABLES)
    assert all(column.meaning.strip() for of_table in TABLES for column in of_table.columns)


def test_the_page_in_the_docs_is_that_of_the_dictionary():
    assert (ROOT / "docs/results.md").read_text() == page(), (
        "docs/results.md is not what the dictionary says; write it again: "
        "workflow/py core write_readme.py --readme docs/results.md"
    )


def test_no_cell_breaks_its_row():
    """A bar in a meaning would begin a new cell of the table."""
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert {line.count(" | ") for line in rows} <= {1, 2}
    assert all(not line.endswith("|  |") for line in rows)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("loss [nats] how much", "is no line"),
        ("loss: how much\nloss: how much", "loss described twice"),
        ("model, model", "model described twice"),
    ],
)
def test_a_wrong_line_is_told(text, told):
    with pytest.raises(ValueError, match=told):
        table("x", "", text)


def test_units_and_optional_columns_are_read():
    column = table("x", "", "?low, high [nats]: bounds: both").columns[0]
    assert (column.names, column.unit, column.optional) == (("low", "high"), "nats", True)
    assert column.meaning == "bounds: both"
