"""Japanese: morphemes with their readings (pyopenjtalk) to phonemes, character by character."""

import re

from rasen.songs.phonemes.numbers import spelled
from rasen.songs.phonemes.spread import evenly

KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]")
SMALL_Y, SMALL_VOWELS = "ャュョ", "ァィゥェォ"
MORA = re.compile(rf"[ァ-ヴー][{SMALL_Y}{SMALL_VOWELS}ヮ]?")
UNVOICED = "\u2019"  # after a mora whose vowel has no voice
ROWS = {  # the five vowels after each consonant
    "": "アイウエオ", "k": "カキクケコ", "g": "ガギグゲゴ", "s": "サ・スセソ", "z": "ザ・ズゼゾ",
    "t": "タ・・テト", "d": "ダ・・デド", "n": "ナニヌネノ", "h": "ハヒ・ヘホ", "b": "バビブベボ",
    "p": "パピプペポ", "m": "マミムメモ", "y": "ヤ・ユ・ヨ", "r": "ラリルレロ", "w": "ワ・・・・",
    "sh": "・シ・・・", "j": "・ジ・・・", "ch": "・チ・・・", "ts": "・・ツ・・",
    "f": "・・フ・・", "v": "・・ヴ・・",
}  # fmt: skip
SOUNDS = {kana: (consonant, vowel) for consonant, row in ROWS.items()
          for kana, vowel in zip(row, "aiueo", strict=True) if kana != "・"}  # fmt: skip
SOUNDS |= {"ヲ": ("", "o"), "ヂ": ("j", "i"), "ヅ": ("z", "u"), "ヰ": ("", "i"), "ヱ": ("", "e")}
SOUNDS |= dict(zip(SMALL_VOWELS + SMALL_Y + "ヮ", [("", v) for v in "aiueo"]
                   + [("y", v) for v in "auo"] + [("w", "a")], strict=True))  # fmt: skip
PALATAL = {"sh", "ch", "j", "y"}  # already so before a small y
ROUNDED = {"イ": "y", "ウ": "w", "ク": "kw", "グ": "gw"}  # before a small vowel


def japanese_phonemes(text):
    """[(start, end, tokens)] of the kana, kanji and numbers in text, one span a character.

    The whole text is read at once, for kanji have many readings. In a morpheme each kana gets its
    own mora; the moras that are left are spread evenly over its kanji.
    """
    import pyopenjtalk

    plain, places = _in_kanji(text)
    spans, cursor, vowel = [], 0, ""
    for morpheme in pyopenjtalk.run_frontend(plain) if plain.strip() else []:
        found = plain.find(morpheme["string"], cursor)
        moras, vowel = phonemes(morpheme["pron"], vowel)
        if found < 0 or not moras:
            continue
        cursor = found + len(morpheme["string"])
        for start, end, part in _share(morpheme["string"], morpheme["read"], moras):
            origin = places[found + start : found + end]
            tokens = [token for mora in part for token in mora]
            spans.append((origin[0][0], origin[-1][1], tokens))
    return _by_place(spans)


def _in_kanji(text):
    """text with its numbers in kanji, and the place [(start, end)] of each character's origin."""
    plain, places = "", []
    for found in re.finditer(r"[0-9]+|[^0-9]", text):
        words = spelled(found[0], "ja") if found[0][0] in "0123456789" else found[0]
        plain += words
        places += [found.span()] * len(words)
    return plain, places


def _by_place(spans):
    """Spans of the same place (the words of one number) as one."""
    joined = []
    for start, end, tokens in spans:
        if joined and joined[-1][:2] == (start, end):
            joined[-1][2].extend(tokens)
        else:
            joined.append((start, end, list(tokens)))
    return joined


def phonemes(reading, vowel=""):
    """The phonemes of each mora of a reading in katakana, and its last vowel.

    vowel: the one before, which a long-vowel mark at the beginning goes on with.
    """
    moras = []
    for found in re.finditer(rf"{MORA.pattern}{UNVOICED}?", reading):
        mora = found[0].rstrip(UNVOICED)
        sounds = _sounds(mora, vowel)
        if sounds and sounds[-1] in "aiueo":
            vowel = sounds[-1]
            if found[0].endswith(UNVOICED):
                sounds[-1] = vowel.upper()
        moras.append(sounds)
    return moras, vowel


def _sounds(mora, vowel):
    """Phonemes of one mora; `vowel` is the last one before it."""
    first, small = mora[0], mora[1:]
    if first in "ンッー":
        return {"ン": ["N"], "ッ": ["cl"], "ー": [vowel] if vowel else []}[first]
    if first not in SOUNDS:
        return []
    consonant, own = SOUNDS[first]
    if not small:
        return [consonant, own] if consonant else [own]
    _, after = SOUNDS[small]
    if small in SMALL_Y or (own == "i" and consonant and small == "ェ"):
        # ASSUME: テュ and デュ are ty and dy, as キュ is ky; ウュ and the like are not spelled.
        consonant = {"v": "b"}.get(consonant, consonant)  # ヴュ is said as ビュ
        consonant = consonant if consonant in PALATAL else consonant + "y"
    elif small != "ヮ" or first in ROUNDED:
        consonant = ROUNDED.get(first, consonant)
    return [consonant, after] if consonant else [own, after]


def _share(string, reading, moras):
    """[(start, end, moras)] of the characters of a morpheme.

    string: as written; reading: in katakana, mora by mora as `moras`, which hold the phonemes.
    """
    kana = [found.group() for found in MORA.finditer(reading)]
    if len(kana) != len(moras):  # spelled and spoken differently: by the way it sounds
        kana = [""] * len(moras)
    first, last, head, tail = 0, len(string), 0, len(moras)
    before, after = [], []
    while head < tail and (found := _begins(string[first:last], kana[head])):
        before.append((first, first + found, [moras[head]]))
        first, head = first + found, head + 1
    while head < tail and (found := _ends(string[first:last], kana[tail - 1])):
        after.insert(0, (last - found, last, [moras[tail - 1]]))
        last, tail = last - found, tail - 1
    left = evenly(moras[head:tail], last - first) if last > first else []
    middle = [(first + i, first + i + 1, part) for i, part in enumerate(left)]
    if not middle and head < tail:  # moras that no character is left for
        start, end, part = (before or after).pop()
        middle = [(start, end, part + moras[head:tail])]
    return before + middle + after


def _begins(string, mora):
    """How many characters of string are this mora in kana, from its beginning."""
    return len(mora) if mora and _katakana(string[: len(mora)]) == mora else 0


def _ends(string, mora):
    return len(mora) if mora and _katakana(string[-len(mora) :]) == mora else 0


def _katakana(text):
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)
