"""Mandarin: characters to onsets and finals with tones."""

import re
import tempfile
from functools import cache

from rasen.songs.phonemes.inventory import FINALS, ONSETS
from rasen.songs.phonemes.numbers import spell_number
from rasen.songs.phonemes.spread import Span

STRETCH = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々\u30070-9]+"
)  # \u3007 is zero
YEAR = re.compile(r"\d{4}(?=年)")
INTERJECTIONS = {"n": "en", "ng": "en", "m": "en", "hm": "en", "hng": "en"}  # 嗯, 呣
NUMERALS = set("零\u3007一二三四五六七八九十百千万亿")
ORDINAL = NUMERALS | set("第初")  # after these, 一 is a number and keeps its tone,
DATE = set("零\u3007一二三四五六七八九月号")  # as it does before these
COUNTED = NUMERALS | set("几有两半多各整每做是这那")  # 个 after one of these is a measure word
PARTICLES = set("的地得吧呢啊呐嘛呀哦")
DIRECTIONS = set("上下进出回过起开")


def chinese_phonemes(text: str) -> list[Span]:
    """The phonemes of the Chinese characters and numbers in text, one span per character.

    A number is one span. The text is first segmented into words (jieba), which decide between
    several readings of a character; then tones change as in speech: particles and suffixes lose
    theirs, two third tones, 一 and 不.
    """
    spans = []
    for stretch in STRETCH.finditer(text):
        characters, places = _in_characters(stretch[0])
        syllables = pronounce(characters)
        for start, end in dict.fromkeys(places):
            own = [s for s, place in zip(syllables, places, strict=True) if place == (start, end)]
            tokens = [token for syllable in own for token in split_syllable(*syllable)]
            spans.append(Span(stretch.start() + start, stretch.start() + end, tokens))
    return spans


def _in_characters(text):
    """text with its numbers in words, and the place [(start, end)] of each character's origin."""
    years = {year.start() for year in YEAR.finditer(text)}
    characters, places = "", []
    for match in re.finditer(r"\d+|\D", text):
        words = match[0]
        if words[0].isdigit():
            words = spell_number(words, "zh", match.start() in years)
        characters += words
        places += [match.span()] * len(words)
    return characters, places


def pronounce(characters: str) -> list[tuple[str, int]]:
    """(pinyin, tone) of each of `characters`, tones as in speech."""
    from pypinyin import Style, lazy_pinyin

    words, parts = [], []  # of speech, by jieba's dictionary
    for pair in _segmenter().lcut(characters, HMM=False):
        words.append(pair.word)
        parts.append(pair.flag)
    syllables = lazy_pinyin(words, style=Style.TONE3, neutral_tone_with_five=True,
                            errors=lambda unknown: [""] * len(unknown))  # fmt: skip
    pinyin, tones = [], []
    for sound, tone in (re.findall(r"^([a-zê]*)(\d?)", text)[0] for text in syllables):
        pinyin.append(sound)
        tones.append(int(tone or 5))
    tones = _neutral_tones(characters, words, parts, tones)
    return list(zip(pinyin, _spoken_tones(characters, words, tones), strict=True))


def _neutral_tones(characters, words, parts, tones):
    """Tones [n] with that of particles, suffixes and repetitions neutral (5)."""
    tones, end = list(tones), 0
    for word, part in zip(words, parts, strict=True):
        end += len(word)
        last, many = word[-1], len(word) > 1
        if (
            (many and last == word[-2] and part[0] in "nva")  # 看看
            or word in PARTICLES
            or (last == "得" and part == "v")  # 笑得
            or (word in ("了", "着", "过") and part in ("ul", "uz", "ug"))
            or (many and last in "们子" and part in ("r", "n"))
            or (many and last in "上下里" and part in ("s", "l", "f"))  # 墙上
            or (many and last in "来去" and word[-2] in DIRECTIONS)
            or word == "个"
            or (last == "个" and many and word[-2] in COUNTED)
        ):
            tones[end - 1] = 5
    return tones


@cache
def _segmenter():
    """jieba's tagger, with a cache in a private folder: it loads any file of that name in /tmp."""
    import logging

    import jieba
    import jieba.posseg

    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as private:
        segmenter.tmp_dir = private
        segmenter.initialize()
    return jieba.posseg.POSTokenizer(segmenter)


def _spoken_tones(characters, words, tones):
    """Tones [n] changed by their neighbours."""
    word = [i for i, text in enumerate(words) for _ in text]  # of each character
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
    third = [tone == 3 for tone in tones]
    for i in range(len(tones) - 1):
        close = word[i] == word[i + 1] or _spoken_together(words, third, word, i)
        if third[i] and third[i + 1] and close:
            tones[i] = 2
    return tones


def _spoken_together(words, third, word, i):
    """Whether the words of characters i and i + 1 are spoken without a pause.

    # ASSUME: as in SongBloom's code: three characters at most, the first word all in third tones
    """
    first, second = words[word[i]], words[word[i + 1]]
    begin = i + 1 - len(first)
    return len(first) + len(second) <= 3 and all(third[begin : i + 1])


def _ends_word(word, i):
    """Whether character i is the last of a longer word, as in 唯一."""
    return i > 0 and word[i - 1] == word[i] != word[i + 1]


def split_syllable(pinyin: str, tone: int) -> list[str]:
    """[onset, final with tone] of a syllable; [] where it is none."""
    pinyin = INTERJECTIONS.get(pinyin, pinyin).replace("ü", "v").replace("ê", "ei")
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
