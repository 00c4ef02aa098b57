"""Phonemes: inventory, rules of the three languages, windows, SongBloom's own strings."""

import json
from pathlib import Path

import pandas as pd
import pytest

from rasen.errors import RasenError
from rasen.songs.lyrics import split_words
from rasen.songs.phonemes import (
    LANGUAGES,
    chinese,
    english,
    homographs,
    inventory,
    japanese,
    line,
    numbers,
    song_phonemes,
    spread,
    window_tokens,
)
from rasen.songs.reasons import REASONS, SongError

# --- inventory


def test_built_in_inventory():
    ids = inventory.built_in_inventory().ids
    assert list(ids.values()) == list(range(len(ids)))
    assert ids[inventory.PAD] == 0
    assert (len(inventory.ONSETS), len(inventory.FINALS)) == (26, 39)
    tones = [f"{final}{tone}" for final in inventory.FINALS for tone in range(1, 6)]
    for token in (*inventory.MARKS, *inventory.ONSETS, *tones, "N", "cl", "AH0", "ZH"):
        assert token in ids
    assert len([token for token in ids if token[-1:] in "012" and token[:1].isupper()]) > 45


def test_a_vocabulary_of_the_users(tmp_path):
    marks = inventory.MARKS
    listed, mapped = tmp_path / "list.yaml", tmp_path / "map.json"
    listed.write_text("".join(f"- '{token}'\n" for token in ["", *marks, "AY1"]))
    mapped.write_text(json.dumps({"vocab": {**{m: 10 + i for i, m in enumerate(marks)}, "AY1": 7}}))
    assert inventory.read_vocabulary(listed).ids["AY1"] == len(marks) + 1
    assert inventory.read_vocabulary(mapped).ids["AY1"] == 7
    assert inventory.read_vocabulary(mapped).name.startswith("map-")
    mapped.write_text(json.dumps({"AY1": -1, "[verse]": "x"}))
    with pytest.raises(RasenError) as caught:
        inventory.read_vocabulary(mapped)
    for words in ("the id of 'AY1' is -1", "'[verse]' is 'x'", "lacks [chorus] [bridge]"):
        assert words in str(caught.value)
    for text in ("7", "{", "!!python/object/apply:os.system [ls]"):
        listed.write_text(text)
        with pytest.raises(RasenError):
            inventory.read_vocabulary(listed)


# --- rules


def test_numbers_in_chinese_characters():
    zh = {"0": "零", "7": "七", "10": "十", "12": "十二", "110": "一百一十", "101": "一百零一",
          "1001": "一千零一", "20000": "二万", "10500": "一万零五百", "05": "零五"}  # fmt: skip
    assert {digits: numbers.spell_number(digits, "zh") for digits in zh} == zh
    assert numbers.spell_number("1999", "zh", year=True) == "一九九九"
    ja = {"10": "十", "100": "百", "1999": "千九百九十九", "303": "三百三", "10001": "一万一"}
    assert {digits: numbers.spell_number(digits, "ja") for digits in ja} == ja


def test_evenly_and_to_units():
    assert spread.split_evenly([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4, 5]]
    assert spread.split_evenly([1, 2, 3], 2) == [[1, 2], [3]]  # a half goes to the even number
    assert spread.split_evenly([1, 2, 3, 4, 5], 3) == [[1, 2], [3], [4, 5]]
    assert spread.split_evenly([1, 2, 3, 4], 3) == [[1], [2, 3], [4]]
    assert spread.split_evenly([1], 3) in ([[1], [], []], [[], [1], []], [[], [], [1]])
    spans = [(0, 2, ["k", "y", "o", "o"]), (3, 4, ["a"]), (4, 5, ["x"])]
    assert spread.assign_to_units(spans, [(0, 1), (1, 2), (3, 4)]) == [
        ["k", "y"],
        ["o", "o"],
        ["a"],
    ]


@pytest.mark.parametrize(
    ("pinyin", "expected"),
    [
        ("ma", "m a1"), ("zhi", "zh ir1"), ("zi", "z i01"), ("ri", "r ir1"), ("ju", "j v1"),
        ("xuan", "x van1"), ("yue", "y ve1"), ("yu", "y v1"), ("yun", "y vn1"), ("ye", "y E1"),
        ("yan", "y En1"), ("yong", "y ong1"), ("lv", "l v1"), ("lve", "l ve1"), ("nue", "n ve1"),
        ("wu", "w u1"), ("an", "AA an1"), ("er", "EE er1"), ("ou", "OO ou1"), ("ei", "EE ei1"),
        ("n", "EE en1"), ("xiong", "x iong1"), ("shuang", "sh uang1"), ("", ""), ("qqq", ""),
    ],
)  # fmt: skip
def test_pinyin_is_split(pinyin, expected):
    assert " ".join(chinese.split_syllable(pinyin, 1)) == expected


def test_tones_change():
    def spoken(words, tones):
        return chinese._spoken_tones("".join(words), words, tones)

    assert spoken(["你", "好"], [3, 3]) == [2, 3]
    assert spoken(["美好", "理想"], [3, 3, 3, 3]) == [2, 3, 2, 3]  # a pause between the words
    assert spoken(["不", "对"], [4, 4]) == [2, 4]
    assert spoken(["不", "好"], [4, 3]) == [4, 3]
    assert spoken(["好", "不", "好"], [3, 4, 3]) == [3, 5, 3]
    assert spoken(["一", "个"], [1, 4]) == [2, 4]
    assert spoken(["一", "首"], [1, 3]) == [4, 3]
    assert spoken(["第", "一", "个"], [4, 1, 4]) == [4, 1, 4]
    assert spoken(["统一", "看"], [3, 1, 4]) == [3, 1, 4]
    assert spoken(["看", "一", "看"], [4, 1, 4]) == [4, 5, 4]
    assert spoken(["一"], [1]) == [1]


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        ("キャベツ", "ky a|b e|ts u"), ("シャ", "sh a"), ("チェロ", "ch e|r o"), ("ティ", "t i"),
        ("デュ", "dy u"), ("ファイト", "f a|i|t o"), ("ウィ", "w i"), ("ヴァ", "v a"),
        ("クォ", "kw o"), ("ガッコー", "g a|cl|k o|o"), ("ツ\u2019キ", "ts U|k i"), ("ン", "N"),
        ("ヂヅヲ", "j i|z u|o"), ("イェ", "y e"), ("ヴュ", "by u"), ("、", ""),
    ],
)  # fmt: skip
def test_moras(reading, expected):
    assert "|".join(" ".join(mora) for mora in japanese.mora_phonemes(reading)[0]) == expected


def test_a_long_vowel_goes_on_with_the_vowel_before():
    moras, vowel = japanese.mora_phonemes("ラ")
    assert (moras, vowel) == ([["r", "a"]], "a")
    assert japanese.mora_phonemes("ー", vowel)[0] == [["a"]]


def test_kana_get_their_own_moras_and_kanji_the_rest():
    def shared(string, reading, spoken=None):
        moras = japanese.mora_phonemes(spoken or reading)[0]
        return {string[a:b]: "".join(map("".join, part))
                for a, b, part in japanese._share_moras(string, reading, moras)}  # fmt: skip

    assert shared("お母さん", "オカアサン") == {"お": "o", "母": "kaa", "さ": "sa", "ん": "N"}
    assert shared("東京", "トウキョウ", "トーキョー") == {"東": "too", "京": "kyoo"}
    assert shared("行っ", "イッ") == {"行": "i", "っ": "cl"}
    assert shared("きゃべつ", "キャベツ") == {"きゃ": "kya", "べ": "be", "つ": "tsu"}
    assert shared("は", "ハ", "ワ") == {"は": "wa"}
    assert shared("心", "ココロ") == {"心": "kokoro"}


def test_english_words_of_the_dictionary(tmp_path):
    words = english.read_dictionary()
    texts = ("I", "Don't", "water\u2019s", "love's", "girl's", "he'll", "TV", "LÀ", "find", "maybe")
    say = {text: " ".join(english.english_phonemes(text, words)[0]) for text in texts}
    assert say == {
        "I": "AY1",
        "Don't": "D OW1 N T",
        "water\u2019s": "W AO1 T ER0 Z",
        "love's": "L AH1 V Z",
        "girl's": "G ER1 L Z",
        "he'll": "HH IY1 L",
        "TV": "T IY1 V IY1",
        "LÀ": "L AA1",
        "find": "F AY1 N D",
        "maybe": "M EY1 B IY0",
    }
    assert english.english_phonemes("I love you", words)[1] == "dictionary"
    assert english.english_phonemes("backroad", words) == (
        ["B", "AE1", "K", "R", "OW1", "D"],
        "dictionary",
    )
    mine = tmp_path / "mine.dict"
    mine.write_text(";;; ours\nLOVE  L UH1 V\nLOVE(1)  L AO1 V\nXYZZY  Z IH1 Z IY0 # magic\n")
    mine.write_text(mine.read_text() + "READ  R EH1 D\n")
    words = english.read_dictionary(mine)
    spoken = english.english_phonemes("love xyzzy read", words)[0]
    assert spoken == ["L", "UH1", "V", "Z", "IH1", "Z", "IY0", "R", "EH1", "D"]
    mine.write_text("LOVE  L UH V\nEMPTY\n")
    with pytest.raises(RasenError, match=r"(?s)row 1: LOVE: 'UH' is no ARPAbet.*row 2: EMPTY: no"):
        english.read_dictionary(mine)


def test_two_thousand_english_words():
    """The words that differ are variants of CMUdict's versions (office: AH0 or IH0)."""
    words = english.read_dictionary()
    rows = (Path(__file__).parent / "english_2000.txt").read_text().splitlines()[1:]
    wrong = [
        word
        for word, *phonemes in map(str.split, rows)
        if english.english_phonemes(word, words) != (phonemes, "dictionary")
    ]
    assert len(rows) == 2000
    assert len(wrong) <= 0.025 * len(rows), wrong  # measured: 1.8 %
    # All of them but for the kind of a vowel without stress, and what a vowel's stress is.
    assert not {"love", "find", "night", "maybe", "heart", "you", "the"} & set(wrong)


VERBS = """
    I *close my eyes|*close the door|I *live for you|this is where we *live|will you *use me
    they *present the prize|I *object to that|I *refuse to go|don't *desert me now|*record my voice
    I will not *excuse you|she *lives alone|my love *lives in the city|*wind it up|*tear us apart
    I'll *live forever|let's *separate|nobody could *perfect it|you *live and learn|to *conduct us
"""
OTHERS = """
    so *close to you|come a little *close|our *lives are long|*live music tonight|no *use in crying
    a *record spinning round|you are my *present|throw out the *refuse|in the *desert sun
    the *wind is blowing|*tears in my eyes|a single *tear|with *tears of joy|against the *wind
    it's *perfect for me|we are *separate now|a *crooked rhyme|the *house on the hill|every *excuse
"""


def test_verbs_and_nouns_that_are_written_alike():
    def sounds(phrase, as_verb):
        words = phrase.split()
        place = next(i for i, word in enumerate(words) if word.startswith("*"))
        word = words[place][1:]
        verb, other, _ = homographs._homographs()[word]
        found = homographs.pronounce(word, words[:place], words[place + 1 :])
        return found == (verb if as_verb else other)

    phrases = [
        (p.strip().lower(), True) for row in VERBS.strip().splitlines() for p in row.split("|")
    ]
    phrases += [
        (p.strip().lower(), False) for row in OTHERS.strip().splitlines() for p in row.split("|")
    ]
    right = [sounds(*phrase) for phrase in phrases]
    wrong = [phrase for phrase, fine in zip(phrases, right, strict=True) if not fine]
    assert len(right) == 39
    assert len(wrong) <= 2, wrong
    assert homographs.pronounce("love", [], []) is None
    assert homographs.pronounce("used", ["i"], ["to"]) == ["Y", "UW1", "S", "T"]
    assert homographs.pronounce("used", ["i"], ["it"]) == ["Y", "UW1", "Z", "D"]
    assert homographs.pronounce("read", ["i", "have"], []) == ["R", "EH1", "D"]


def test_a_dictionary_is_parsed_when_it_is_new_or_changed(tmp_path):
    mine = tmp_path / "mine.dict"
    mine.write_text("XYZZY  Z IH1\n")
    first = english.read_dictionary(mine)
    assert spoken(sung(0, "xyzzy oh", 4.0), dictionary=str(mine))["english"] == {"dictionary": 2}
    assert english.read_dictionary(str(mine)).own is first.own
    assert english.read_dictionary().published is first.published
    assert not english.read_dictionary().find("xyzzy")
    mine.write_text("XYZZY  Z IH1 Z\n")
    assert english.read_dictionary(mine).find("xyzzy") == ["Z", "IH1", "Z"]
    mine.unlink()
    with pytest.raises(RasenError, match="cannot be read as a dictionary"):
        english.read_dictionary(mine)


def test_units_are_found_in_their_line():
    assert line.find_units(["don't", "you"], "Don\u2019t, YOU!") == [(0, 5), (7, 10)]
    assert line.find_units(["a", "a"], "a b") is None


def test_marks_inside_a_line_end_a_clause():
    words = english.read_dictionary()
    spoken, origins = line.line_tokens(["oh", "no", "I"], "Oh, no I,", "en", words)
    assert spoken == [["OW1", "."], ["N", "OW1"], ["AY1"]]
    assert origins == ["dictionary"] * 3
    # Words that the line does not have are spoken all the same.
    assert line.line_tokens(["oh", "you"], "Oh no", "en", words)[0] == [["OW1"], ["Y", "UW1"]]


# --- songs and windows


def words(*timed):
    return [{"word": word, "start": start, "end": start + 1.0} for word, start in timed]


def sung(number, text, first, kept=True, **more):
    timed = words(*((word, first + i) for i, word in enumerate(text.replace(",", "").split())))
    return {"line": number, "text": text, "kept": kept, "start": first,
            "end": first + len(timed), "words": timed, **more}  # fmt: skip


STRUCTURE = pd.DataFrame(
    [(0.0, 4.0, "intro"), (4.0, 10.0, "verse"), (10.0, 14.0, "chorus"), (14.0, 20.0, "outro")],
    columns=["start", "end", "label"],
)


def spoken(*lines, **more):
    return song_phonemes({"song": "x", "language": "en", "lines": list(lines)}, STRUCTURE, **more)


SONG = (sung(0, "oh no", 4.0), sung(1, "I, you", 7.0), sung(2, "he will", 11.0, kept=False))


def test_a_song_in_sections():
    found = spoken(*SONG)
    flags = [section["flag"] for section in found["sections"]]
    assert flags == ["intro", "verse", "chorus", "outro"]
    assert [len(section["lines"]) for section in found["sections"]] == [0, 2, 0, 0]
    ids = inventory.built_in_inventory().ids
    for section in found["sections"]:
        for each in section["lines"]:
            for word in each["words"]:
                assert word["ids"] == [ids[token] for token in word["tokens"]]
    assert found["english"] == {"dictionary": 4}
    assert (found["unknown"], found["inventory"]) == ({}, "rasen-1")
    assert found["vocabulary"] == len(ids)
    assert json.loads(json.dumps(found)) == found


def test_sequences():
    found = spoken(*SONG)
    tokens, ids = window_tokens(found, 0, 20)
    assert tokens == (
        ["[intro]"] * 4 + [",", "[verse]", "OW1", "N", "OW1", ".", "AY1", ".", "Y", "UW1"]
        + [",", "[chorus]", ","] + ["[outro]"] * 6
    )  # fmt: skip
    table = inventory.built_in_inventory().ids
    assert ids == [table[token] for token in tokens]
    # A window in the middle of things: 1.6 s of intro; of the verse, words by their middles.
    assert window_tokens(found, 2.4, 8.4)[0] == [
        "[intro]", "[intro]", ",", "[verse]", "OW1", "N", "OW1", ".", "AY1"
    ]  # fmt: skip
    assert window_tokens(found, 8.5, 10)[0] == ["[verse]", "Y", "UW1"]
    assert window_tokens(found, 14, 20, seconds_per_flag=5)[0] == ["[outro]"]
    assert window_tokens(found, 13.9, 14.1)[0] == ["[chorus]", ",", "[outro]"]
    assert window_tokens(found, 30, 40) == ([], [])


# fmt: off
SONGBLOOM = {  # what its public code (ef78022) makes of songs in the public domain
    "en": (
        [
            ("intro", 3, []),
            ("verse", 16, ["Are you going to Scarborough Fair,", "Parsley sage rosemary and thyme.",
                           "Remember me to one who lives there,", "He once was a true love of mine!"]),  # noqa: E501
            ("inst", 2, []),
            ("chorus", 12, ["Tell him to reap it with a sickle of leather",
                            "And gather it all in a bunch of heather",
                            "Then he'll be a true love of mine"]),
            ("outro", 1, []),
        ],
        "[intro] [intro] [intro] , [verse] AA1 R Y UW1 G OW1 IH0 NG T UW1 S K AA1 R B ER2 OW0 F EH1 R"  # noqa: E501
        " . P AA1 R S L IY0 S EY1 JH R OW1 Z M EH2 R IY0 AH0 N D TH AY1 M . R IH0 M EH1 M B ER0 M IY1"  # noqa: E501
        " T UW1 W AH1 N HH UW1 L IH1 V Z DH EH1 R . HH IY1 W AH1 N S W AA1 Z AH0 T R UW1 L AH1 V AH1 V"  # noqa: E501
        " M AY1 N , [inst] [inst] , [chorus] T EH1 L HH IH1 M T UW1 R IY1 P IH1 T W IH1 DH AH0 S IH1 K"  # noqa: E501
        " AH0 L AH1 V L EH1 DH ER0 . AH0 N D G AE1 DH ER0 IH1 T AO1 L IH0 N AH0 B AH1 N CH AH1 V"
        " HH EH1 DH ER0 . DH EH1 N HH IY1 L B IY1 AH0 T R UW1 L AH1 V AH1 V M AY1 N , [outro]",
    ),
    "zh": (
        [
            ("intro", 2, []),
            ("verse", 10, ["长亭外", "古道边", "芳草碧连天", "晚风拂柳笛声残", "夕阳山外山"]),
            ("chorus", 10, ["天之涯", "地之角", "知交半零落", "一壶浊酒尽余欢", "今宵别梦寒"]),
            ("inst", 1, []),
        ],
        "[intro] [intro] , [verse] ch ang2 t ing2 w ai4 . g u3 d ao4 b ian1 . f ang1 c ao3 b i4 l ian2"  # noqa: E501
        " t ian1 . w an3 f eng1 f u2 l iu3 d i2 sh eng1 c an2 . x i1 y ang2 sh an1 w ai4 sh an1 ,"
        " [chorus] t ian1 zh ir1 y a2 . d i5 zh ir1 j iao3 . zh ir1 j iao1 b an4 l ing2 l uo4 . y i4"  # noqa: E501
        " h u2 zh uo2 j iu3 j in3 y v2 h uan1 . j in1 x iao1 b ie2 m eng4 h an2 , [inst]",
    ),
}
# fmt: on


@pytest.mark.parametrize("language", SONGBLOOM)
def test_strings_are_those_of_songbloom(language):
    sections, expected = SONGBLOOM[language]
    rows, lines, now = [], [], 0.0
    for label, seconds, texts in sections:
        rows.append((now, now + seconds, label))
        for i, text in enumerate(texts):
            first, length = now + i * seconds / len(texts), seconds / len(texts)
            units = split_words(text, language)
            step = length / len(units)
            timed = [{"word": unit, "start": first + k * step, "end": first + (k + 1) * step}
                     for k, unit in enumerate(units)]  # fmt: skip
            lines.append({"line": len(lines), "text": text, "kept": True, "start": first,
                          "end": first + length, "words": timed})  # fmt: skip
        now += seconds
    structure = pd.DataFrame(rows, columns=["start", "end", "label"])
    found = song_phonemes({"song": "x", "language": language, "lines": lines}, structure)
    assert " ".join(window_tokens(found, 0, now)[0]) == expected


def test_tokens_that_the_vocabulary_lacks_are_reported():
    ids = {mark: i for i, mark in enumerate(inventory.MARKS)} | {"AY1": 50}
    found = spoken(*SONG, symbols=inventory.Inventory("mine", ids))
    assert found["unknown"] == {"OW1": 2, "N": 1, "Y": 1, "UW1": 1}
    assert window_tokens(found, 4, 10) == (
        ["[verse]", "AY1"],
        [0, 50],
    )


def test_backing_vocals_have_no_phonemes():
    lead = sung(0, "oh no", 4.0), sung(2, "I do", 8.0)
    backing = sung(1, "oh oh oh", 5.0, backing=True, overlaps=True)
    assert spoken(lead[0], backing, lead[1]) == spoken(*lead)


def test_songs_without_phonemes_are_rejected():
    for lines in ([], [sung(0, "oh no", 4.0, kept=False)], [sung(0, "?!", 4.0)]):
        with pytest.raises(SongError) as caught:
            spoken(*lines)
        assert caught.value.reason == "no_phonemes"
    with pytest.raises(SongError, match="'fr'") as caught:
        song_phonemes({"song": "x", "language": "fr", "lines": []}, STRUCTURE)
    meaning, cure = REASONS[caught.value.reason]  # holds for both
    assert "can be spoken, or the language" in meaning
    assert f"({', '.join(sorted(LANGUAGES))} have)" in meaning
    assert cure == "correct the lyrics or the language"
