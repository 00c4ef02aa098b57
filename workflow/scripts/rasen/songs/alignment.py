"""The alignment of a song's lyrics as it is stored (alignment.json), and as tables."""

import json
from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa

LINES = pa.schema(
    {
        "song": pa.string(), "line": pa.int64(), "text": pa.string(), "paragraph": pa.int64(),
        "section": pa.string(), "kept": pa.bool_(), "reason": pa.string(), "start": pa.float64(),
        "end": pa.float64(), "score": pa.float64(), "match": pa.float64(),
    }
)  # fmt: skip
WORDS = pa.schema(
    {
        "song": pa.string(), "line": pa.int64(), "index": pa.int64(), "word": pa.string(),
        "start": pa.float64(), "end": pa.float64(), "score": pa.float64(), "source": pa.string(),
    }
)  # fmt: skip


class AlignedWord(TypedDict):
    """A word with its times in seconds. source: "lyrics", or "recovered" from the transcript."""

    word: str
    start: float
    end: float
    score: float
    source: str


class AlignedLine(TypedDict):
    """A line of the lyrics; `reason` says why it was dropped, then it has no words and times.

    match: share of the line's words that were transcribed;  score: mean score of its words
    """

    line: int
    text: str
    paragraph: int
    section: str | None
    kept: bool
    reason: str | None
    start: float | None
    end: float | None
    score: float | None
    match: float | None
    words: list[AlignedWord]


class Alignment(TypedDict):
    """The alignment of a song. match_ratio: share of all its words that were found."""

    song: str
    language: str
    seconds: float
    match_ratio: float
    score: float
    lines: list[AlignedLine]


def write_alignment(path: Path | str, alignment: Alignment) -> None:
    """Write alignment.json."""
    text = json.dumps(alignment, ensure_ascii=False, indent=1)
    Path(path).write_text(text + "\n", encoding="utf-8")


def read_alignment(path: Path | str) -> Alignment:
    """The alignment that `write_alignment` wrote."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def alignment_tables(alignments: Iterable[Alignment]) -> tuple[pa.Table, pa.Table]:
    """Alignments as (lines, words), one row per line and per word; a word names its line."""
    of_line, of_word = itemgetter(*LINES.names[1:]), itemgetter(*WORDS.names[3:])
    lines: list[tuple[Any, ...]] = []
    words: list[tuple[Any, ...]] = []
    for alignment in alignments:
        song = alignment["song"]
        for line in alignment["lines"]:
            lines.append((song, *of_line(line)))
            words += [
                (song, line["line"], index, *of_word(word))
                for index, word in enumerate(line["words"])
            ]
    return _table(lines, LINES), _table(words, WORDS)


def _table(rows, schema):
    columns = list(zip(*rows, strict=True)) or [[] for _ in schema]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
