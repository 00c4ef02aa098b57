"""Lyrics as phonemes under structure flags: the text conditioning of a lyrics-to-song model.

inventory   the symbols and their ids, or a vocabulary of the user's
line        one line, by script: chinese, english, japanese
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from rasen.songs.alignment import is_instrumental, lead_lines
from rasen.songs.phonemes import english, inventory, line
from rasen.songs.phonemes.inventory import COMMA, PAD, STOP, Inventory, token_of_flag
from rasen.songs.reasons import SongError
from rasen.songs.structure.labels import SUNG

LANGUAGES = ("zh", "en", "ja")


@dataclass(frozen=True)
class PhonemeSettings:
    """How lyrics become phonemes; `songs.phonemes` of the config.

    dictionary: file in CMUdict's format, which has precedence over the built-in pronunciations
    vocabulary: file with the ids of the tokens, in the place of the built-in inventory
    """

    dictionary: str | None
    vocabulary: str | None


class SpokenWord(TypedDict):
    """A word with its times in seconds, as tokens and their ids."""

    start: float
    end: float
    tokens: list[str]
    ids: list[int]


class SpokenLine(TypedDict):
    """A line with its number in the lyrics."""

    line: int
    start: float
    end: float
    text: str
    words: list[SpokenWord]


class SpokenSection(TypedDict):
    """A section with the lines whose middle it holds."""

    flag: str
    start: float
    end: float
    lines: list[SpokenLine]


class SongPhonemes(TypedDict):
    """The phonemes of a song, as they are stored (phonemes.json).

    inventory: its name;  vocabulary: number of ids that a model needs
    marks: ids of flags and stops, for `window_tokens`
    unknown: tokens that the inventory lacks and that are left out, with their number
    english: number of words from a dictionary, and of predicted ones
    """

    song: str
    language: str
    inventory: str
    vocabulary: int
    marks: dict[str, int]
    unknown: dict[str, int]
    english: dict[str, int]
    sections: list[SpokenSection]


def song_phonemes(
    alignment: Mapping[str, Any],
    structure: pd.DataFrame,
    symbols: Inventory | None = None,
    dictionary: Path | str | None = None,
) -> SongPhonemes:
    """The phonemes of a song's kept lines, section by section; backing vocals are left out.

    An instrumental has sections without lines: flags alone.

    alignment: of `songs.alignment`;  structure: DataFrame [start, end, label] of `songs.structure`
    symbols: the inventory (None: the built-in one);  dictionary: file in CMUdict's format
    """
    symbols = symbols or inventory.built_in_inventory()
    language = alignment["language"]
    instrumental = is_instrumental(alignment)
    if language not in LANGUAGES and not instrumental:
        known = ", ".join(LANGUAGES)
        raise SongError("no_phonemes", f"language '{language}' has no phonemes; known: {known}")
    pronunciations = english.read_dictionary(dictionary)
    unknown: Counter[str] = Counter()
    origins: Counter[str] = Counter()
    sections: list[SpokenSection] = [
        {"flag": row.label, "start": row.start, "end": row.end, "lines": []}
        for row in structure.itertuples()
    ]
    for aligned in lead_lines(alignment):
        if not aligned["words"]:
            continue
        tokens, line_origins = line.line_tokens(
            [word["word"] for word in aligned["words"]], aligned["text"], language, pronunciations
        )
        origins.update(line_origins)
        words = [
            _spoken_word(word, word_tokens, symbols, unknown)
            for word, word_tokens in zip(aligned["words"], tokens, strict=True)
        ]
        words = [word for word in words if word["tokens"] not in ([], [STOP])]
        if words:
            _section_of(aligned, sections)["lines"].append(
                {
                    "line": aligned["line"],
                    "start": aligned["start"],
                    "end": aligned["end"],
                    "text": aligned["text"],
                    "words": words,
                }
            )
    if not any(section["lines"] for section in sections) and not instrumental:
        raise SongError("no_phonemes", f"no kept line can be spoken in '{language}'")
    return {
        "song": alignment["song"],
        "language": language,
        "inventory": symbols.name,
        "vocabulary": max(symbols.ids.values()) + 1,
        "marks": {mark: symbols.ids[mark] for mark in inventory.MARKS},
        "unknown": dict(unknown),
        "english": dict(origins),
        "sections": sections,
    }


def _spoken_word(word, tokens, symbols, unknown) -> SpokenWord:
    """The word with those of its tokens that have an id; the others are counted in `unknown`."""
    known = [token for token in tokens if token in symbols.ids and token != PAD]
    unknown.update(token for token in tokens if token not in symbols.ids)
    return {
        "start": word["start"],
        "end": word["end"],
        "tokens": known,
        "ids": [symbols.ids[token] for token in known],
    }


def _section_of(aligned, sections):
    """The section that holds the middle of a line."""
    middle = (aligned["start"] + aligned["end"]) / 2
    return next((s for s in sections if s["start"] <= middle < s["end"]), sections[-1])


def window_tokens(
    phonemes: SongPhonemes, start: float, end: float, seconds_per_flag: float = 1.0
) -> tuple[list[str], list[int]]:
    """(tokens, ids) of the window from `start` to `end` seconds, in SongBloom's format of lyrics.

    Each section that overlaps the window is its flag, then the words whose middle is in the window,
    with a full stop between lines; commas stand between sections and nowhere else. The flag of a
    section without singing is repeated for every `seconds_per_flag` inside the window.
    """
    marks = phonemes["marks"]
    pairs: list[tuple[str, int]] = []

    def add(mark: str, count: int = 1) -> None:
        pairs.extend([(mark, marks[mark])] * count)

    before = None
    for section in phonemes["sections"]:
        inside = min(end, section["end"]) - max(start, section["start"])
        if inside <= 0:
            continue
        flag = section["flag"]
        # What sounds alike goes on: a solo after a break is one stretch of [inst].
        if before is not None and (flag != before or flag in SUNG):
            add(COMMA)
        before = flag
        add(token_of_flag(flag), 1 if flag in SUNG else max(1, round(inside / seconds_per_flag)))
        sung = [_sung_between(each, start, end) for each in section["lines"]]
        for i, words in enumerate(filter(None, sung)):
            if i > 0:
                add(STOP)
            pairs += words
    return [token for token, _ in pairs], [number for _, number in pairs]


def _sung_between(sung: SpokenLine, start: float, end: float) -> list[tuple[str, int]]:
    """[(token, id)] of a line's words whose middle is in the window; no full stop at its end."""
    pairs = [
        pair
        for word in sung["words"]
        if start <= (word["start"] + word["end"]) / 2 < end
        for pair in zip(word["tokens"], word["ids"], strict=True)
    ]
    while pairs and pairs[-1][0] == STOP:
        pairs.pop()
    return pairs
