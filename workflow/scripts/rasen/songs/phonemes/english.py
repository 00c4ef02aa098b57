"""English: words to ARPAbet with stress.

A word is looked up in the user's dictionary, then in ours (`english_words`); a word in neither is
predicted by g2p_en's network. Nothing is downloaded, and no data of the machine is used.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from rasen.errors import RasenError, raise_all
from rasen.songs.phonemes.english_words import WORDS
from rasen.songs.phonemes.inventory import ENGLISH

WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?|[0-9]+(?:,[0-9]{3})*(?:st|nd|rd|th)?")
ENDINGS = {"n't": ["AH0", "N", "T"], "'ll": ["AH0", "L"], "'ve": ["V"], "'re": ["ER0"],
           "'d": ["D"], "'m": ["M"], "'em": ["AH0", "M"]}  # fmt: skip
HISSING = {"S", "Z", "SH", "ZH", "CH", "JH"}
VOICELESS = {"P", "T", "K", "F", "TH"}
YEARS = range(1100, 2000)  # ASSUME: four digits in it are a year, in two halves


def english_phonemes(text: str, words: Mapping[str, list[str]]) -> tuple[list[str], str]:
    """(tokens, their origin) of English text; `words`: a dictionary of `read_dictionary`.

    The origin is "dictionary", or "predicted" where any word was predicted.
    """
    plain = unicodedata.normalize("NFKD", text).replace("\u2019", "'").lower()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    tokens: list[str] = []
    origins = set()
    for match in WORD.findall(plain):
        for word in _spell_out(match):
            word_tokens, origin = _word_phonemes(word, words)
            tokens += word_tokens
            origins.add(origin)
    return tokens, "predicted" if "predicted" in origins else "dictionary"


def read_dictionary(path: Path | str | None = None) -> dict[str, list[str]]:
    """{word: phonemes}: our own, with precedence of a file in the format of CMUdict.

    Cached: a file is parsed again only when it was changed.
    """
    if not path:
        return _built_in()
    path = Path(path)
    stat = path.stat() if path.is_file() else None
    return _with_file(path, stat and (stat.st_mtime_ns, stat.st_size))


@cache
def _built_in():
    return _parse_dictionary(WORDS, "english_words.py")


@lru_cache(maxsize=1)
def _with_file(path, stamp):
    """`stamp`: time of change and size of the file, for the cache."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RasenError(f"{path}: cannot be read as a dictionary ({error})") from None
    return _built_in() | _parse_dictionary(text, path)


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


def _word_phonemes(word, words):
    """(tokens, origin) of one word in small letters."""
    if word in words:
        return words[word], "dictionary"
    for ending, tokens in ENDINGS.items():
        if word.endswith(ending) and word != ending:
            stem, origin = _word_phonemes(word.removesuffix(ending), words)
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
        return [token for letter in word for token in words[letter]], "dictionary"
    return _predict(word), "predicted"


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
