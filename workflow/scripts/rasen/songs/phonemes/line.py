"""One sung line: its words, or characters, with the phonemes of each, script by script."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from rasen.songs.phonemes import chinese, english, japanese
from rasen.songs.phonemes.english import Dictionary
from rasen.songs.phonemes.inventory import STOP
from rasen.songs.phonemes.spread import Span, assign_to_units

LATIN = re.compile(r"[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f'\u2019]*(?:[0-9]+(?:st|nd|rd|th)?)?")
KANA = re.compile(r"[\u3041-\u30ff]")
CLAUSES = ",.、。;:!?…"  # after NFKC, which turns ，； and others into these; "..." is three


def line_tokens(
    units: Sequence[str], text: str, language: str, dictionary: Dictionary
) -> tuple[list[list[str]], list[str]]:
    """(the tokens of each unit, the origins of its English words) of a line.

    units: the words, or characters, that the alignment has times for;  text: the line as written
    A mark inside the line ends a clause: its last unit gets a full stop, as in SongBloom's lyrics,
    where a comma separates sections only.
    """
    units = [unicodedata.normalize("NFKC", unit) for unit in units]
    text = unicodedata.normalize("NFKC", text)
    places = find_units(units, text)
    if places is None:  # the alignment's own words, such as recovered ones
        text = ("" if language in ("ja", "zh") else " ").join(units)
        places = find_units(units, text) or []
    spans, origins = line_spans(text, language, dictionary)
    tokens = assign_to_units(spans, places)
    for i, ((_, end), (start, _)) in enumerate(pairwise(places)):
        if tokens[i] and any(mark in text[end:start] for mark in CLAUSES):
            tokens[i].append(STOP)
    return tokens, origins


def find_units(units: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """The places [(start, end)] of units in text, one after the other, or None."""
    places: list[tuple[int, int]] = []
    cursor, folded = 0, _folded(text)
    for unit in units:
        start = folded.find(_folded(unit), cursor)
        if start < 0:
            return None
        cursor = start + len(unit)
        places.append((start, cursor))
    return places


def _folded(text):
    """text in small letters and with one kind of apostrophe, of the same length."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text).replace("\u2019", "'")


def line_spans(text: str, language: str, dictionary: Dictionary) -> tuple[list[Span], list[str]]:
    """The phonemes of a line as `Span`s, and the origins of its English words."""
    spans: list[Span] = []
    origins: list[str] = []
    cursor = 0
    sung = [english.plain_text(latin[0]) for latin in LATIN.finditer(text)]
    # The text between Latin words is read as a whole, in its own script.
    for i, latin in enumerate([*LATIN.finditer(text), None]):
        end = latin.start() if latin else len(text)
        between, between_origins = _spans_without_latin(text[cursor:end], language, dictionary)
        spans += [Span(cursor + a, cursor + b, tokens) for a, b, tokens in between]
        origins += between_origins
        if latin:
            tokens, origin = english.english_phonemes(latin[0], dictionary, sung[:i], sung[i + 1 :])
            spans.append(Span(latin.start(), latin.end(), tokens))
            origins.append(origin)
            cursor = latin.end()
    return spans, origins


def _spans_without_latin(text, language, dictionary):
    """`line_spans` of text without Latin words, by its script."""
    if KANA.search(text) or language == "ja":
        return japanese.japanese_phonemes(text), []
    if language == "zh" or chinese.STRETCH.fullmatch(re.sub(r"[\W\d]", "", text)):
        return chinese.chinese_phonemes(text), []
    spans, origins = [], []
    for number in re.finditer(r"[0-9]+(?:,[0-9]{3})*", text):  # read in English
        tokens, origin = english.english_phonemes(number[0], dictionary)
        spans.append(Span(*number.span(), tokens))
        origins.append(origin)
    return spans, origins
