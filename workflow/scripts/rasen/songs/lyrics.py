"""Lyrics: plain text or LRC as lines, and the words of a line in a form that can be compared.

Plain text has one sung line per row; blank rows separate paragraphs; a row `[Chorus]` names the
section of the rows below it. LRC has a time before each row: `[00:12.30]over the river`. What
stands in parentheses at the end of a row, or alone, is sung by backing vocals: a line of its own.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rasen.songs.reasons import SongError

STAMP = re.compile(r"\[(\d+):(\d{1,2}(?:[.:]\d{1,3})?)\]\s*")
WORD_STAMP = re.compile(r"<\d+:\d{1,2}(?:[.:]\d{1,3})?>\s*")  # of enhanced LRC
METADATA = re.compile(r"\[(ar|ti|al|au|by|la|re|ve|length|offset|tool|id|#)\s*:(.*)\]", re.I)
SECTION = re.compile(r"\[([^\[\]]+)\]")
BACKING = re.compile(
    r"(.*?)((?:\s*[(\uff08][^()\uff08\uff09]*[)\uff09])+)\W*"
)  # brackets of all widths
UNSPACED = ("ja", "zh")  # written without spaces: every character counts as a word
APOSTROPHES = "\u2018\u2019\u02bc`\u00b4"
KATAKANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}  # to hiragana


@dataclass
class Line:
    """One sung line. Times in seconds, where LRC has them; `end` is the next line's start.

    backing: sung by backing vocals, beside or over the lines around it
    """

    text: str
    paragraph: int
    section: str | None = None
    start: float | None = None
    end: float | None = None
    backing: bool = False


def read_lyrics(path: Path | str) -> list[Line]:
    """The lines of a file of lyrics."""
    return parse_lyrics(read_text(path))


def read_text(path: Path | str) -> str:
    """A file of lyrics as it is written."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError:
        raise SongError("lyrics_unreadable", f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise SongError("lyrics_unreadable", f"{path}: is not UTF-8 text") from None
    if "\0" in text:
        raise SongError("lyrics_unreadable", f"{path}: holds zero bytes, so it is not text")
    return text


def parse_lyrics(text: str) -> list[Line]:
    """The lines of `text`, in the order in which they are sung."""
    rows: list[tuple[float, float | None, str, str | None, bool]] = []
    section, new_paragraph, offset, clock = None, True, 0.0, 0.0
    for row in text.lstrip("\ufeff").splitlines():
        row = row.strip()
        if metadata := METADATA.fullmatch(row):
            offset = _offset(metadata) or offset
            continue
        if (name := SECTION.fullmatch(row)) and not STAMP.fullmatch(row):
            section, new_paragraph = name[1].strip(), True
            continue
        stamps, row = _split_stamps(row)
        row = WORD_STAMP.sub("", row).strip()
        if name := SECTION.fullmatch(row):  # a section's name may have a time too
            section, row = name[1].strip(), ""
        # A row without a time among rows with one keeps its place.
        clock = stamps[-1] if stamps else clock
        for stamp in stamps or ([None] if row else []):
            rows.append((clock if stamp is None else stamp, stamp, row, section, new_paragraph))
        new_paragraph = not row
    return _lines(sorted(rows, key=lambda row: row[0]), offset)


def _split_stamps(row):
    """The times before a row, in seconds, and the row without them."""
    times = []
    while stamp := STAMP.match(row):
        times.append(60 * int(stamp[1]) + float(stamp[2].replace(":", ".")))
        row = row[stamp.end() :]
    return times, row


def _offset(metadata):
    """Seconds by which `[offset:+500]` asks to show lyrics earlier."""
    try:
        return float(metadata[2]) / 1000 if metadata[1].lower() == "offset" else None
    except ValueError:
        return None


def _lines(rows, offset):
    """Lines of rows (time, stamp, text, section, begins a paragraph) in order of time."""
    lines: list[Line] = []
    paragraph, after_gap = -1, True
    for _, stamp, text, section, begins in rows:
        start = None if stamp is None else max(0.0, stamp - offset)
        for line in reversed(lines):  # the one before it; several, where they have one stamp
            if start in (None, line.start) or line.start is None or line.end is not None:
                break
            line.end = start
        if not text:  # an empty row with a time only ends the line before it
            after_gap = True
            continue
        paragraph += after_gap or begins or section != lines[-1].section
        lines += [
            Line(part, paragraph, section, start, backing=backing)
            for part, backing in split_backing(text)
        ]
        after_gap = False
    return lines


def split_backing(text: str) -> list[tuple[str, bool]]:
    """A row as (text, whether backing vocals sing it): `carry me (ooh ooh)` has two parts."""
    parts = BACKING.fullmatch(text)
    if parts is None or not any(letter.isalnum() for letter in parts[2]):
        return [(text, False)]
    lead = [(parts[1].strip(), False)] if any(letter.isalnum() for letter in parts[1]) else []
    return [*lead, (parts[2].strip(), True)]


def written_language(lines: Sequence[Line]) -> str:
    """The language of lyrics by their script: kana are Japanese, other characters Chinese."""
    text = "".join(line.text for line in lines)
    if any(0x3041 <= ord(letter) <= 0x30FA for letter in text):
        return "ja"
    characters = sum(_is_word(letter) for letter in text)
    return "zh" if 2 * characters > sum(letter.isalpha() for letter in text) else "en"


def split_words(text: str, language: str) -> list[str]:
    """The words of a line as written, without punctuation; characters in Japanese and Chinese.

    A hyphen separates words, an apostrophe inside a word is kept.
    """
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(f"[{APOSTROPHES}]", "'", text)
    unspaced, pieces = language in UNSPACED, []
    for character in text:
        kind = unicodedata.category(character)[0]
        if unspaced and _is_word(character):
            pieces.append(f" {character} ")
        elif kind in "LN" or character == "'" or (kind == "M" and not unspaced):
            pieces.append(character)
        elif kind != "M":  # variation selectors and the like separate nothing
            pieces.append(" ")
    stripped = [word.strip("'") for word in "".join(pieces).split()]
    return [word for word in stripped if word]


def normalised_words(text: str, language: str) -> list[str]:
    """The words of a line in the form in which they are compared, one per `split_words`.

    Case, accents (where words are spaced) and the two kana make no difference.
    """
    return [_normalise(word, language) for word in split_words(text, language)]


def _normalise(word, language):
    word = word.casefold()
    if language in UNSPACED:
        return word.translate(KATAKANA)
    bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return bare or word


def _is_word(character):
    """Whether it is a Chinese character or kana (々, 〇 and the long-vowel mark too)."""
    code = ord(character)
    return (
        0x3400 <= code <= 0x9FFF
        or 0x3041 <= code <= 0x30FA
        or 0x30FC <= code <= 0x30FF
        or character in "々〇"
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
    ) and unicodedata.category(character)[0] in "LN"
