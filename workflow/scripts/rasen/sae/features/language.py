"""Language tendency of a feature: do its examples fire on Japanese, on English, or on both?

script      by Unicode script. A word without letters of either script, or with as many of
            one as of the other, or a piece of a byte (<0x0A>) or special token (<s>) is
            neutral and does not count.
inaba2025   the published rule to the letter (Inaba et al. 2025: llm-jp-sae, commit d9eb8c6).
            It calls all that is no plain English Japanese: accents, colons, line breaks,
            bytes; a number counts as the word before it, and where a sequence starts with
            it, as the *last* word of the sequence (index -1). Use it with
            `strong_examples(..., tenths=True)` to compare with published numbers. A sequence
            of numbers alone, at which the published code fails, counts as Japanese.
"""

import re

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.sae.features.tally import Tally
from rasen.sae.features.words import Words

CLASSES = ("ja", "en", "mixed", "neutral")  # neutral: no example is of either language
SHARE = 0.9  # of the examples that count; above it a feature belongs to that language
_JA = re.compile(r"[\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
                 r"\uff66-\uff9f\U00020000-\U0003ffff]")  # fmt: skip
_EN = re.compile(r"[A-Za-z\u00c0-\u024f\uff21-\uff3a\uff41-\uff5a]")
_PIECE = re.compile(r"<[^<>]+>|\ufffd+")
_PLAIN = re.compile(r"^[a-zA-Z\s\"'(),.\-]+$")
_NUMBER = re.compile(r"^[0-9]+$")


def language_tendency(
    tally: Tally,
    examples: pd.DataFrame,
    words: Words,
    rule: str = "script",
    share: float = SHARE,
) -> pd.DataFrame:
    """Tendency of every feature that has examples.

    examples: of rasen.sae.features.tally;  words: of the tallied rows, as read by people (decoded,
    not a tokenizer's inner spelling of bytes)
    Returns a table feature, language, examples, ja, en (numbers of examples).
    """
    if rule not in ("script", "inaba2025"):
        raise RasenError(f"language: rule {rule!r} is not one of script, inaba2025")
    places = tally.places(examples["row"].to_numpy())
    if rule == "script":
        spellings, which = np.unique(words.which[places], return_inverse=True)
        texts = words.spellings[spellings]
        languages = np.array([script_of_word(text) for text in texts], object)[which]
    else:
        first = places - (examples["frame"].to_numpy() - tally.skip)  # of the clip
        clip = np.searchsorted(tally.clips.start, examples["row"], side="right") - 1
        sequences = zip(places, first, tally.clips.rows[clip], strict=True)
        languages = np.array([_published_rule(words, *sequence) for sequence in sequences], object)
    of_examples = pd.DataFrame(
        {"feature": examples["feature"], "ja": languages == "ja", "en": languages == "en"}
    )
    table = of_examples.groupby("feature").agg(
        examples=("ja", "size"), ja=("ja", "sum"), en=("en", "sum")
    )
    both = np.maximum(table["ja"] + table["en"], 1)
    conditions = [
        table["ja"] + table["en"] == 0,
        table["ja"] / both > share,
        table["en"] / both > share,
    ]
    table.insert(0, "language", np.select(conditions, ["neutral", "ja", "en"], "mixed"))
    return table.reset_index()


def script_of_word(word: str) -> str:
    """ja, en or neutral by the letters of a word."""
    if _PIECE.fullmatch(word.strip()):
        return "neutral"
    ja, en = len(_JA.findall(word)), len(_EN.findall(word))
    if ja == en:
        return "neutral"
    return "ja" if ja > en else "en"


def _published_rule(words, place, first, rows):
    """ja or en of a place by the rule of Inaba et al. 2025, within the clip's tallied rows."""
    for back in range(place - first, place - first - rows, -1):  # below 0 it goes on from the end
        word = words[first + back % rows].strip()
        if not _NUMBER.match(word):
            return "en" if _PLAIN.match(word) else "ja"
    return "ja"
