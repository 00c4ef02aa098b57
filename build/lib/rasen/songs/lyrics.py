"""Lyrics: plain text or LRC as lines, and their words as units that can be compared.

Plain text has one sung line a row; blank rows part paragraphs; a row `[Chorus]` names the section
of the rows below it. LRC has a time before each row: `[00:12.30]over the river`.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from rasen.songs.reasons import SongError

STAMP = re.compile(r"\[(\d+):(\d{1,2}(?:[.:]\d{1,3})?)\]\s*")
WORD_STAMP = re.compile(r"<\d+:\d{1,2}(?:[.:]\d{1,3})?>\s*")  # of enhanced LRC
METADATA = re.compile(r"\[(ar|ti|al|au|by|la|re|ve|length|offset|tool|id|#)\s*:(.*)\]", re.I)
SECTION = re.compile(r"\[([^\[\]]+)\]")
UNSPACED = ("ja", "zh")  # written without spaces: a character is a unit
APOSTROPHES = "\u2018\u2019\u02bc`\u00b4"
KATAKANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}  # to hiragana


@dataclass
class Line:
    """One sung line. Times in seconds, where LRC gives them; `end` is the next stamp."""

    text: str
    paragraph: int
    section: str | None = None
    start: float | None = None
    end: float | None = None


def read_lyrics(path):
    """The lines of a file of lyrics."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError:
        raise SongError("lyrics_unreadable", f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise SongError("lyrics_unreadable", f"{path}: is not UTF-8 text") from None
    if "\0" in text:
        raise SongError("lyrics_unreadable", f"{path}: holds zero bytes, so it is not text")
    return parse_lyrics(text)


def parse_lyrics(text):
    """The lines of `text`, in the order in which they are sung."""
    rows, section, fresh, offset, clock = [], None, True, 0.0, 0.0
    for row in text.lstrip("\ufeff").splitlines():
        row = row.strip()
        if found := METADATA.fullmatch(row):
            offset = _offset(found) or offset
            continue
        if (found := SECTION.fullmatch(row)) and not STAMP.fullmatch(row):
            section, fresh = found[1].strip(), True
            continue
        stamps, row = _stamps(row)
        row = WORD_STAMP.sub("", row).strip()
        if found := SECTION.fullmatch(row):  # a section's name may have a time too
            section, row = found[1].strip(), ""
        # A row without a time among rows with one keeps its place.
        clock = stamps[-1] if stamps else clock
        for stamp in stamps or ([None] if row else []):
            rows.append((clock if stamp is None else stamp, stamp, row, section, fresh))
        fresh = not row
    return _lines(sorted(rows, key=lambda row: row[0]), offset)


def _stamps(row):
    """The times before a row, in seconds, and the rest of it."""
    times = []
    while found := STAMP.match(row):
        times.append(60 * int(found[1]) + float(found[2].replace(":", ".")))
        row = row[found.end() :]
    return times, row


def _offset(found):
    """Seconds by which `[offset:+500]` asks to show lyrics earlier."""
    try:
        return float(found[2]) / 1000 if found[1].lower() == "offset" else None
    except ValueError:
        return None


def _lines(rows, offset):
    """Lines of rows (time, stamp, text, section, begins a paragraph) in order of time."""
    lines, paragraph, fresh = [], -1, True
    for _, stamp, text, section, begins in rows:
        start = None if stamp is None else max(0.0, stamp - offset)
        if lines and lines[-1].end is None and start is not None and lines[-1].start is not None:
            lines[-1].end = start
        if not text:  # an empty row with a time says only when the line before it ends
            fresh = True
            continue
        new = fresh or begins or section != lines[-1].section
        paragraph += new
        lines.append(Line(text, paragraph, section, start))
        fresh = False
    return lines


def words(text, language):
    """The words of a line as written, without punctuation; characters in Japanese and Chinese.

    A hyphen parts words, an apostrophe inside a word stays.
    """
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(f"[{APOSTROPHES}]", "'", text)
    unspaced, parts = language in UNSPACED, []
    for character in text:
        kind = unicodedata.category(character)[0]
        if unspaced and _stands_alone(character):
            parts.append(f" {character} ")
        elif kind in "LN" or character == "'" or (kind == "M" and not unspaced):
            parts.append(character)
        elif kind != "M":  # variation selectors and the like say nothing that is sung
            parts.append(" ")
    found = [word.strip("'") for word in "".join(parts).split()]
    return [word for word in found if word]


def normalise(text, language):
    """The words of a line in the form in which they are compared: one unit a word.

    Case, accents (where words are spaced) and the two kana make no difference.
    """
    return [_unit(word, language) for word in words(text, language)]


def _unit(word, language):
    word = word.casefold()
    if language in UNSPACED:
        return word.translate(KATAKANA)
    bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return bare or word


def _stands_alone(character):
    """Whether it is a Chinese character or kana (々, 〇 and the long-vowel mark are too)."""
    code = ord(character)
    return (
        0x3400 <= code <= 0x9FFF
        or 0x3041 <= code <= 0x30FA
        or 0x30FC <= code <= 0x30FF
        or character in "々〇"
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
    ) and unicodedata.category(character)[0] in "LN"
