"""English words that sound differently as a verb, decided by the words around them.

The list is g2p_en's (homographs.en, about 370 words), with five that it lacks
and songs are full of.
A tagger's weights would have to be downloaded; verb or not is told by the closed classes of
words (articles, pronouns, auxiliaries, prepositions) beside the word, which lyrics rarely lack.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

MISSING = {  # word: (as a verb, otherwise)
    "live": ("L IH1 V", "L AY1 V"),
    "lives": ("L IH1 V Z", "L AY1 V Z"),
    "wind": ("W AY1 N D", "W IH1 N D"),
    "tear": ("T EH1 R", "T IH1 R"),
    "tears": ("T EH1 R Z", "T IH1 R Z"),
}


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


# A word after one of these is a verb ...
SUBJECTS = _set_of("i you we they he she it who let's to please y'all don't didn't")
AUXILIARIES = _set_of(
    "will would can could shall should may might must do did does gonna wanna gotta cannot"
    " won't wouldn't can't couldn't shouldn't doesn't"
)
SHORTENED = ("'ll", "'d")  # I'll, you'd
# ... and after one of these it is none.
ARTICLES = _set_of(
    "a an the this that these those my your his her its our their no some any every each all one"
    " another what whose which"
)
DEGREES = _set_of("so too very how more most as that's it's here's there's")
BEING = _set_of("am is are was were be been being i'm you're we're they're he's she's ain't")
PREPOSITIONS = _set_of("of in on at by for from with without into through over under like")
HAVING = _set_of("have has had having i've you've we've they've")
# Between the two they tell nothing: the word before them does.
ADVERBS = _set_of("never always just still really ever only not also even often")
# What follows a verb: its object, or where it goes.
OBJECTS = ARTICLES | _set_of("me him them us it myself yourself you up down out off away back on")
PLACES = _set_of("in on at here there inside with for forever alone")


class Homograph(NamedTuple):
    """A word's phonemes as a part of speech (V, N, ADJ, VBD, VBN), and otherwise."""

    spoken: list[str]
    otherwise: list[str]
    part: str


def pronounce(word: str, before: Sequence[str], after: Sequence[str]) -> list[str] | None:
    """The phonemes of a homograph between other words, or None for any other word.

    All in small letters; before, after: the line's words before and after it
    """
    found = _homographs().get(word)
    if found is None:
        return None
    previous = next((other for other in reversed(before) if other not in ADVERBS), "")
    following = after[0] if after else ""
    if found.part == "VBD":  # ASSUME: read is in the present, unless after have or be
        past = previous in HAVING | BEING
        return found.otherwise if past else found.spoken
    if found.part == "VBN":  # used to
        return found.otherwise if following == "to" else found.spoken
    if found.part == "N":
        return found.spoken if previous in ARTICLES | PREPOSITIONS else found.otherwise
    if found.part == "ADJ":
        return found.spoken
    return found.spoken if _is_verb(word, previous, following) else found.otherwise


def _is_verb(word, previous, following):
    if previous in ARTICLES | DEGREES | BEING | PREPOSITIONS | HAVING:
        return False
    if previous in SUBJECTS | AUXILIARIES or previous.endswith(SHORTENED):
        return True
    if following in OBJECTS:
        return True
    return bool(previous) and word.endswith("s") and following in PLACES


@cache
def _homographs() -> dict[str, Homograph]:
    found = {
        word: Homograph(verb.split(), other.split(), "V") for word, (verb, other) in MISSING.items()
    }
    package = find_spec("g2p_en")  # found without importing it, which would look for downloads
    if package is None or not package.origin:
        return found
    text = (Path(package.origin).parent / "homographs.en").read_text(encoding="utf-8")
    for row in text.splitlines():
        if row and not row.startswith("#"):
            word, spoken, otherwise, part = row.split("|")
            found[word.lower()] = Homograph(spoken.split(), otherwise.split(), part)
    found["closer"] = Homograph(["K", "L", "OW1", "S", "ER0"], ["K", "L", "OW1", "S", "ER0"], "V")
    return found
