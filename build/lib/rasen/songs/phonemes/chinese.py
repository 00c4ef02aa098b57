"""Mandarin: characters to onsets and finals with tones."""

import re
import tempfile
from functools import cache

from rasen.songs.phonemes.inventory import FINALS, ONSETS
from rasen.songs.phonemes.numbers import spelled

STRETCH = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々\u30070-9]+"
)  # \u3007 is zero
YEAR = re.compile(r"\d{4}(?=年)")
HUMMED = {"n": "en", "ng": "en", "m": "en", "hm": "en", "hng": "en"}  # 嗯, 呣
NUMERALS = set("零\u3007一二三四五六七八九十百千万亿")
ORDINAL = NUMERALS | set("第初")  # before 一, it counts and keeps its tone;
DATE = set("零\u3007一二三四五六七八九月号")  # so does it before these


def chinese_phonemes(text):
    """[(start, end, tokens)] of the Chinese characters and numbers in text, one span a character.

    A number is one span. Words are found first (jieba), so that characters with several readings
    get theirs; then tones change as in speech: two third tones, 一 and 不.
    """
    spans = []
    for stretch in STRETCH.finditer(text):
        characters, places = _in_characters(stretch[0])
        syllables = pronounce(characters)
        for start, end in dict.fromkeys(places):
            mine = [s for s, place in zip(syllables, places, strict=True) if place == (start, end)]
            tokens = [token for syllable in mine for token in split(*syllable)]
            spans.append((stretch.start() + start, stretch.start() + end, tokens))
    return spans


def _in_characters(text):
    """text with its numbers in words, and the place [(start, end)] of each character's origin."""
    years = {found.start() for found in YEAR.finditer(text)}
    characters, places = "", []
    for found in re.finditer(r"\d+|\D", text):
        part = found[0]
        words = spelled(part, "zh", found.start() in years) if part[0].isdigit() else part
        characters += words
        places += [found.span()] * len(words)
    return characters, places


def pronounce(characters):
    """(pinyin, tone) of each of `characters`, tones as in speech."""
    from pypinyin import Style, lazy_pinyin

    words = _segmenter().lcut(characters, HMM=False)
    found = lazy_pinyin(words, style=Style.TONE3, neutral_tone_with_five=True,
                        errors=lambda unknown: [""] * len(unknown))  # fmt: skip
    syllables = [re.match(r"([a-zê]*)(\d?)", each).groups() for each in found]
    pinyin = [sound for sound, _ in syllables]
    tones = [int(tone or 5) for _, tone in syllables]
    return list(zip(pinyin, _spoken(characters, words, tones), strict=True))


@cache
def _segmenter():
    """jieba, with its cache in a private folder: it would trust any file of that name in /tmp."""
    import logging

    import jieba

    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as private:
        segmenter.tmp_dir = private
        segmenter.initialize()
    return segmenter


def _spoken(characters, words, tones):
    """Tones [n] changed by their neighbours."""
    word = [i for i, each in enumerate(words) for _ in each]
    tones = list(tones)
    for i, character in enumerate(characters):
        if character not in "一不":
            continue
        before = characters[i - 1 : i] if i else ""
        after = characters[i + 1 : i + 2]
        if before and before == after:  # 看一看, 好不好
            tones[i] = 5
        elif character == "不":
            tones[i] = 2 if after and tones[i + 1] == 4 else 4
        elif not after or before in ORDINAL or after in DATE or _ends_word(word, i):
            tones[i] = 1
        else:
            tones[i] = 2 if tones[i + 1] == 4 else 4
    single = [len(words[i]) == 1 for i in word]
    third = [tone == 3 for tone in tones]
    for i in range(len(tones) - 1):
        # ASSUME: across words only where one of them is a single character; a pause parts others.
        close = word[i] == word[i + 1] or single[i] or single[i + 1]
        if third[i] and third[i + 1] and close:
            tones[i] = 2
    return tones


def _ends_word(word, i):
    """Whether character i is the last of a longer word, as in 唯一."""
    return i > 0 and word[i - 1] == word[i] != word[i + 1]


def split(pinyin, tone):
    """[onset, final with tone] of a syllable; [] of what is none."""
    pinyin = HUMMED.get(pinyin, pinyin).replace("ü", "v").replace("ê", "ei")
    if not pinyin:
        return []
    onset = next((o for o in (pinyin[:2], pinyin[:1]) if o in ONSETS), "")
    final = pinyin[len(onset) :]
    if not onset:
        onset = pinyin[0].upper() * 2
    if onset in ("z", "c", "s") and final == "i":
        final = "i0"
    elif onset in ("zh", "ch", "sh", "r") and final == "i":
        final = "ir"
    elif onset in ("j", "q", "x", "y") and final[:1] == "u":  # ü without its dots
        final = "v" + final[1:]
    elif onset == "y" and final in ("e", "an"):
        final = {"e": "E", "an": "En"}[final]
    elif final == "ue":  # lue, nue
        final = "ve"
    return [onset, f"{final}{tone}"] if onset in ONSETS and final in FINALS else []
