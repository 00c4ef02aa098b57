"""Lyrics that are to be sung, as phonemes under flags: as training has them, but without times.

[verse]                     what is sung, a line per row
over the river the morning is gold

[inst 8 s]                  a section without singing: its flag once per `seconds_per_flag`,
[outro] [outro]             or, without a length, as often as it stands there
"""

import re
from typing import Any

import pandas as pd

from rasen.errors import as_message, suggestion
from rasen.songs.lyrics import METADATA, STAMP, Line, parse_lyrics, split_words, written_language
from rasen.songs.phonemes import SongPhonemes, song_phonemes
from rasen.songs.phonemes.inventory import Inventory
from rasen.songs.reasons import SongError
from rasen.songs.structure.labels import FLAGS, flag_of_label

HEADING = re.compile(r"\[([^\[\]]+)\]")
LENGTH = re.compile(r"(.*\S)\s+(\d{1,4}(?:\.\d+)?)\s*s", re.I)  # inst 8 s
UNTOLD = 0.01  # seconds of a section of untold length: fewer than any flag stands for
Section = tuple[str, float, list[Line]]  # flag, seconds, lines


def asked_phonemes(
    song: str, text: str, language: str, symbols: Inventory, dictionary: str | None = None
) -> SongPhonemes:
    """The phonemes of lyrics, for `window_tokens`: its times only say what comes after what.

    language: en, ja or zh; "" takes that of the script
    """
    sections = split_sections(text)
    every = [line for _, _, lines in sections for line in lines]
    language = language or written_language(every)
    rows: list[tuple[float, float, str]] = []
    lines: list[dict[str, Any]] = []
    clock = 0.0
    for flag, seconds, own in sections:
        rows.append((clock, clock + seconds, flag))
        when = {"start": clock + seconds / 2, "end": clock + seconds / 2}
        clock += seconds
        for line in own:
            words = [{"word": word} | when for word in split_words(line.text, language)]
            told = {"line": len(lines), "text": line.text, "kept": True, "backing": line.backing}
            lines.append(told | when | {"words": words})
    sung = any(line["words"] and not line["backing"] for line in lines)
    alignment = {"song": song, "language": language if sung else "", "lines": lines}
    alignment["lyrics"] = "given" if sung else "none"
    structure = pd.DataFrame(rows, columns=["start", "end", "label"])
    spoken = song_phonemes(alignment, structure, symbols, dictionary)
    if spoken["unknown"]:
        lacking = ", ".join(f"{token} ({n})" for token, n in sorted(spoken["unknown"].items()))
        raise SongError("no_phonemes", f"phonemes that {symbols.name} has no ids for: {lacking}")
    return spoken


def split_sections(text: str) -> list[Section]:
    """The sections that lyrics name in square brackets, in rows of their own or not.

    What stands in LRC's brackets (times, the artist) names none.
    """
    found = [
        match
        for match in HEADING.finditer(text)
        if not STAMP.fullmatch(match[0]) and not METADATA.fullmatch(match[0])
    ]
    problems = []
    if not found:
        problems.append("no section is named; begin with a flag such as [verse]")
    elif parse_lyrics(text[: found[0].start()]):
        problems.append("words before the first section; begin with a flag such as [verse]")
    sections: list[Section] = []
    ends = [*(match.start() for match in found), len(text)][1:]
    for match, end in zip(found, ends, strict=True):
        length = LENGTH.fullmatch(match[1].strip())
        name = length[1] if length else match[1].strip()
        flag = flag_of_label(name)
        if flag not in FLAGS:
            problems.append(f"{match[0]} is no section; {suggestion(name.lower(), FLAGS)}")
            continue
        seconds = max(UNTOLD, float(length[2])) if length else UNTOLD
        sections.append((flag, seconds, parse_lyrics(text[match.end() : end])))
    if problems:
        raise SongError("lyrics_unreadable", as_message(problems))
    return sections
