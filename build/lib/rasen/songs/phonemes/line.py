"""One sung line: its words, or characters, with the phonemes of each, script by script."""

import re
import unicodedata
from itertools import pairwise

from rasen.songs.phonemes import chinese, english, japanese
from rasen.songs.phonemes.inventory import COMMA
from rasen.songs.phonemes.spread import to_units

LATIN = re.compile(r"[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f'\u2019]*(?:[0-9]+(?:st|nd|rd|th)?)?")
KANA = re.compile(r"[\u3041-\u30ff]")
COMMAS = ",、;"  # after NFKC, which makes ， and ； of these


def tokens(units, text, language, dictionary):
    """(the tokens of each unit, the origins of its English words) of a line.

    units: the words, or characters, that the alignment has times for; text: the line as written.
    A unit that a comma follows inside the line ends with a comma.
    """
    units = [unicodedata.normalize("NFKC", unit) for unit in units]
    text = unicodedata.normalize("NFKC", text)
    places = find(units, text)
    if places is None:  # the alignment's own words, such as recovered ones
        text = ("" if language in ("ja", "zh") else " ").join(units)
        places = find(units, text)
    spans, origins = line_phonemes(text, language, dictionary)
    spoken = to_units(spans, places)
    for i, ((_, end), (start, _)) in enumerate(pairwise(places)):
        if spoken[i] and any(mark in text[end:start] for mark in COMMAS):
            spoken[i].append(COMMA)
    return spoken, origins


def find(units, text):
    """The places [(start, end)] of units in text, one after the other, or None."""
    places, cursor, folded = [], 0, _folded(text)
    for unit in units:
        start = folded.find(_folded(unit), cursor)
        if start < 0:
            return None
        cursor = start + len(unit)
        places.append((start, cursor))
    return places


def _folded(text):
    """text in small letters and one kind of apostrophe, as long as before."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text).replace("\u2019", "'")


def line_phonemes(text, language, dictionary):
    """Spans [(start, end, tokens)] of a line, and the origins of its English words."""
    spans, origins, cursor = [], [], 0
    # Between Latin words, everything goes to the reader of the language as it stands.
    for found in [*LATIN.finditer(text), None]:
        end = found.start() if found else len(text)
        reader = _reader(text[cursor:end], language, dictionary, origins)
        spans += [(cursor + a, cursor + b, items) for a, b, items in reader]
        if found:
            spoken, origin = english.speak(found[0], dictionary)
            spans.append((found.start(), found.end(), spoken))
            origins.append(origin)
            cursor = found.end()
    return spans, origins


def _reader(text, language, dictionary, origins):
    """Spans of text without Latin words, by its script."""
    if KANA.search(text) or language == "ja":
        return japanese.japanese_phonemes(text)
    if language == "zh" or chinese.STRETCH.fullmatch(re.sub(r"[\W\d]", "", text)):
        return chinese.chinese_phonemes(text)
    spans = []  # numbers in English
    for found in re.finditer(r"[0-9]+(?:,[0-9]{3})*", text):
        spoken, origin = english.speak(found[0], dictionary)
        spans.append((*found.span(), spoken))
        origins.append(origin)
    return spans
