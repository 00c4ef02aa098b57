"""Phonemes of real lines, with the libraries of the `songs` environment."""
# ruff: noqa: RUF001 (kana that look like slashes are meant)

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from rasen.songs.phonemes import (
    english,
    inventory,
    japanese,
    line,
    song_phonemes,
    window_tokens,
)
from rasen.songs.phonemes.chinese import split_syllable

SONGS = Path(__file__).parents[2] / "resources/songs/truth"


def said(text, language):
    """Every character, or word, that is spoken, with its phonemes."""
    spans, _ = line.line_spans(text, language, english.read_dictionary())
    return {text[a:b]: "".join(tokens) for a, b, tokens in spans}


def test_a_dictionary_that_the_machine_has_changes_nothing(monkeypatch):
    import nltk.corpus

    theirs = SimpleNamespace(dict=lambda: {"glorp": [["Z"]]})
    monkeypatch.setattr(nltk.corpus, "cmudict", theirs)
    tokens = english.english_phonemes("glorp", english.read_dictionary())[0]
    assert tokens == ["G", "L", "AO1", "R", "P"]


def test_characters_with_several_readings():
    assert said("银行", "zh")["行"] == "hang2"
    assert said("行走", "zh")["行"] == "xing2"
    assert said("重新", "zh")["重"] == "chong2"
    assert said("很重", "zh")["重"] == "zhong4"
    assert list(said("我很好", "zh").values()) == ["wo2", "hen2", "hao3"]


def test_every_syllable_of_chinese_is_in_the_inventory():
    from pypinyin.constants import PINYIN_DICT
    from pypinyin.contrib.tone_convert import to_normal

    ids = inventory.built_in_inventory().ids
    found = {
        to_normal(each, v_to_u=False) for row in PINYIN_DICT.values() for each in row.split(",")
    }
    assert len(found) > 400
    for pinyin in found:
        tokens = split_syllable(pinyin, 1)
        assert len(tokens) == 2, pinyin
        assert all(token in ids for token in tokens), pinyin


LINES = """よるのそらに月がのぼる|今日は一人で東京へ行く|行ってきます|ヴァイオリンとデュエット
キャンディーとシェイクとチェロ|ファイトだよフィナーレ|ウィンドウとクォーツ|ちゃんと食べてしゅっぱつした
ぎゅうにゅうとひゃくえん|学校の先生が好きです|夜空に輝く星のように君を照らしたい|涙の数だけ強くなれるよ
ずっと一緒にいようって約束した|さよならも言えずに泣いた春の日|トゥデイとツァイトとジェット
東京の空は青いでしょう|明日も会える気がした|時の流れに身をまかせ|世界中の誰より""".replace(
    "\n", "|"
)


@pytest.mark.parametrize("text", LINES.split("|"))
def test_japanese_is_what_pyopenjtalk_says(text):
    import pyopenjtalk

    ours = " ".join(token for _, _, tokens in japanese.japanese_phonemes(text) for token in tokens)
    theirs = [token for token in pyopenjtalk.g2p(text).split() if token != "pau"]
    assert ours == " ".join(theirs)
    assert all(token in inventory.built_in_inventory().ids for token in theirs)


def test_mixed_scripts():
    found = said("今日は君とlove song、12月のピアノ", "ja")
    assert found["は"] == "wa"
    assert found["love"] == "LAH1V"
    assert found["12"] == "juuni"
    assert found["月"] == "gatsu"
    found = said("爱你 baby 123", "zh")
    assert (found["baby"], found["123"]) == ("BEY1BIY0", "yi4bai3EEer4shir2san1")
    assert said("just a 月 and ゆめ", "en")["月"] in ("yve4", "tsUki")


def test_numbers_in_english():
    words = english.read_dictionary()
    say = {
        text: " ".join(english.english_phonemes(text, words)[0])
        for text in ("24", "1999", "2nd", "1,000")
    }
    assert say == {
        "24": "T W EH1 N T IY0 F AO1 R",
        "1999": "N AY1 N T IY1 N N AY1 N T IY0 N AY1 N",
        "2nd": "S EH1 K AH0 N D",
        "1,000": "W AH1 N TH AW1 Z AH0 N D",
    }


def test_what_no_dictionary_holds_is_predicted():
    tokens, origin = english.english_phonemes("glorp", english.read_dictionary())
    assert tokens == ["G", "L", "AO1", "R", "P"]
    assert origin == "predicted"


def test_nothing_is_downloaded_and_no_foreign_cache_is_trusted(monkeypatch, tmp_path):
    import nltk

    asked = []
    monkeypatch.setattr(nltk, "download", lambda *names, **more: asked.append(names))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "jieba.cache").write_bytes(b"not marshal")
    english._network.cache_clear()
    english._network()
    from rasen.songs.phonemes import chinese

    chinese._segmenter.cache_clear()
    assert [pair.word for pair in chinese._segmenter().lcut("我们的歌")] == ["我们", "的", "歌"]
    assert asked == []
    assert (tmp_path / "jieba.cache").read_bytes() == b"not marshal"
    assert logging.getLogger("jieba").level >= logging.WARNING


@pytest.mark.parametrize("name", ["river", "tsuki", "yue"])
def test_fixture_songs(name):
    truth = json.loads((SONGS / f"{name}.json").read_text(encoding="utf-8"))
    alignment = {
        "song": name, "language": truth["language"],
        "lines": [{**each, "line": i, "kept": True} for i, each in enumerate(truth["lines"])],
    }  # fmt: skip
    found = song_phonemes(alignment, pd.DataFrame(truth["sections"]))
    assert found["unknown"] == {}
    lines = [each for section in found["sections"] for each in section["lines"]]
    assert [each["text"] for each in lines] == [each["text"] for each in truth["lines"]]
    for ours, theirs in zip(lines, truth["lines"], strict=True):
        times = [word["start"] for word in theirs["words"]]
        assert [word["start"] for word in ours["words"]] == times  # all spoken, none moved
    tokens, _ = window_tokens(found, 0, truth["seconds"])
    sung = [section for section in found["sections"] if section["lines"]]
    assert tokens.count(".") == len(lines) - len(sung)  # between lines, not after a section's last
    assert tokens.count(",") == len(found["sections"]) - 1
    first = {"river": "OW1 V ER0 DH AH0", "tsuki": "y o r u n o", "yue": "y ve4 g uang1 zh ao4"}
    intro = round(truth["sections"][0]["end"])
    assert tokens[: intro + 1] == ["[intro]"] * intro + [","]
    assert tokens[intro + 1] == "[verse]"
    start = intro + 2
    assert " ".join(tokens[start:]).startswith(first[name])
