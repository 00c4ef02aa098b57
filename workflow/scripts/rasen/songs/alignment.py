"""The alignment of a song's lyrics as it is stored (alignment.json), and as tables."""

import json
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa

LINES = pa.schema(
    {
        "song": pa.string(), "line": pa.int64(), "text": pa.string(), "paragraph": pa.int64(),
        "section": pa.string(), "backing": pa.bool_(), "overlaps": pa.bool_(),
        "kept": pa.bool_(), "reason": pa.string(), "start": pa.float64(), "end": pa.float64(),
        "score": pa.float64(), "match": pa.float64(), "surprise": pa.float64(),
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

    backing: sung by backing vocals;  overlaps: sung while another kept line is
    match: share of the line's words that were transcribed;  score: mean score of its words
    surprise: by how many standard deviations the line fits its place better than other text does
    (where no transcript was used)
    """

    line: int
    text: str
    paragraph: int
    section: str | None
    backing: bool
    overlaps: bool
    kept: bool
    reason: str | None
    start: float | None
    end: float | None
    score: float | None
    match: float | None
    surprise: float | None
    words: list[AlignedWord]


class Alignment(TypedDict):
    """The alignment of a song. match_ratio: share of all words of the lead that were found.

    lyrics: "given", "asr" where Whisper wrote them, or "none" (see `no_lyrics`)
    way: how the lines were found: by "lrc" times, in Whisper's words ("recognised"), or among the
    "turns" of the voice;  surprise: median over the lines (of `lrc` and `turns`)
    """

    song: str
    language: str
    lyrics: str
    way: str
    surprise: float | None
    seconds: float
    match_ratio: float
    score: float
    lines: list[AlignedLine]


def lead_lines(alignment: Mapping[str, Any]) -> list[AlignedLine]:
    """The kept lines that are no backing vocals, in order of time."""
    kept = [li for li in alignment["lines"] if li["kept"] and not li.get("backing", False)]
    return sorted(kept, key=lambda line: line["start"] or 0.0)


def no_lyrics(song: str, seconds: float) -> dict[str, Any]:
    """The alignment of an instrumental: no language, no shares and scores, no lines."""
    return {
        "song": song,
        "language": "",
        "lyrics": "none",
        "way": "none",
        "surprise": None,
        "seconds": round(seconds, 3),
        "match_ratio": None,
        "score": None,
        "lines": [],
    }


def is_instrumental(alignment: Mapping[str, Any]) -> bool:
    """Whether the sheet says that nobody sings."""
    return alignment.get("lyrics") == "none"


def write_alignment(path: Path | str, alignment: Mapping[str, Any]) -> None:
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
