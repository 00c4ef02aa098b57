"""The alignment of a song's lyrics as it is stored (alignment.json), and as tables."""

import json
from pathlib import Path
from typing import TypedDict

import pandas as pd

LINES = ["song", "line", "text", "paragraph", "section", "kept", "reason", "start", "end", "score",
         "match"]  # fmt: skip
WORDS = ["song", "line", "index", "word", "start", "end", "score", "source"]


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


def alignment_tables(alignment: Alignment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The alignment as (lines, words), one row per line and per word; a word names its line."""
    song = {"song": alignment["song"]}
    lines = [
        song | {key: value for key, value in line.items() if key != "words"}
        for line in alignment["lines"]
    ]
    words = [
        song | {"line": line["line"], "index": index} | word
        for line in alignment["lines"]
        for index, word in enumerate(line["words"])
    ]
    return pd.DataFrame(lines, columns=LINES), pd.DataFrame(words, columns=WORDS)
