"""Japanese: morphemes with their readings (pyopenjtalk) to phonemes, character by character."""

import re

from rasen.songs.phonemes.numbers import spell_number
from rasen.songs.phonemes.spread import Span, split_evenly

KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]")
SMALL_Y, SMALL_VOWELS = "ャュョ", "ァィゥェォ"
MORA = re.compile(rf"[ァ-ヴー][{SMALL_Y}{SMALL_VOWELS}ヮ]?")
UNVOICED = "\u2019"  # follows a mora with an unvoiced vowel
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
PALATAL = {"sh", "ch", "j", "y"}  # palatal without a small y
ROUNDED = {"イ": "y", "ウ": "w", "ク": "kw", "グ": "gw"}  # before a small vowel


def japanese_phonemes(text: str) -> list[Span]:
    """The phonemes of the kana, kanji and numbers in text, one span per character.

    The whole text is analysed at once, since kanji have many readings. In a morpheme each kana gets
    its own mora; the other moras are spread evenly over its kanji.
    """
    import pyopenjtalk

    plain, places = _in_kanji(text)
    spans, cursor, vowel = [], 0, ""
    for morpheme in pyopenjtalk.run_frontend(plain) if plain.strip() else []:
        first = plain.find(morpheme["string"], cursor)
        moras, vowel = mora_phonemes(morpheme["pron"], vowel)
        if first < 0 or not moras:
            continue
        cursor = first + len(morpheme["string"])
        for start, end, own in _share_moras(morpheme["string"], morpheme["read"], moras):
            origin = places[first + start : first + end]
            tokens = [token for mora in own for token in mora]
            spans.append(Span(origin[0][0], origin[-1][1], tokens))
    return _merge_same_place(spans)


def _in_kanji(text):
    """text with its numbers in kanji, and the place [(start, end)] of each character's origin."""
    plain, places = "", []
    for match in re.finditer(r"[0-9]+|[^0-9]", text):
        words = spell_number(match[0], "ja") if match[0][0] in "0123456789" else match[0]
        plain += words
        places += [match.span()] * len(words)
    return plain, places


def _merge_same_place(spans):
    """Spans of the same place (the words of one number) merged."""
    merged: list[Span] = []
    for start, end, tokens in spans:
        if merged and merged[-1][:2] == (start, end):
            merged[-1].tokens.extend(tokens)
        else:
            merged.append(Span(start, end, list(tokens)))
    return merged


def mora_phonemes(reading: str, vowel: str = "") -> tuple[list[list[str]], str]:
    """The phonemes of each mora of a reading in katakana, and its last vowel.

    vowel: the last one before it, which a long-vowel mark at the beginning prolongs
    """
    moras = []
    for match in re.finditer(rf"{MORA.pattern}{UNVOICED}?", reading):
        mora = match[0].rstrip(UNVOICED)
        sounds = _sounds(mora, vowel)
        if sounds and sounds[-1] in "aiueo":
            vowel = sounds[-1]
            if match[0].endswith(UNVOICED):
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
        # ASSUME: テュ and デュ are ty and dy, as キュ is ky; ウュ and the like do not occur.
        consonant = {"v": "b"}.get(consonant, consonant)  # ヴュ is pronounced ビュ
        consonant = consonant if consonant in PALATAL else consonant + "y"
    elif small != "ヮ" or first in ROUNDED:
        consonant = ROUNDED.get(first, consonant)
    return [consonant, after] if consonant else [own, after]


def _share_moras(string, reading, moras):
    """[(start, end, moras)] of the characters of a morpheme.

    string: as written;  reading: in katakana;  moras: the phonemes of each mora
    Kana at the beginning and the end have their own moras; kanji between them share the others.
    """
    kana = [match.group() for match in MORA.finditer(reading)]
    if len(kana) != len(moras):  # spelling and pronunciation differ: no kana is matched
        kana = [""] * len(moras)
    first, last, head, tail = 0, len(string), 0, len(moras)
    before, after = [], []
    while head < tail and (length := _kana_at_start(string[first:last], kana[head])):
        before.append((first, first + length, [moras[head]]))
        first, head = first + length, head + 1
    while head < tail and (length := _kana_at_end(string[first:last], kana[tail - 1])):
        after.append((last - length, last, [moras[tail - 1]]))
        last, tail = last - length, tail - 1
    after.reverse()
    shares = split_evenly(moras[head:tail], last - first) if last > first else []
    middle = [(first + i, first + i + 1, own) for i, own in enumerate(shares)]
    if not middle and head < tail:  # moras without a character: to a kana beside them
        start, end, own = (before or after).pop()
        middle = [(start, end, own + moras[head:tail])]
    return before + middle + after


def _kana_at_start(string, mora):
    """How many characters at the start of string are this mora in kana."""
    return len(mora) if mora and _katakana(string[: len(mora)]) == mora else 0


def _kana_at_end(string, mora):
    return len(mora) if mora and _katakana(string[-len(mora) :]) == mora else 0


def _katakana(text):
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)
