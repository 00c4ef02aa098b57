"""Lyrics: every form in which people write them."""
# ruff: noqa: RUF001 (curly quotes and full-width marks are the point)

import pytest

from rasen.songs.lyrics import (
    Line,
    normalised_words,
    parse_lyrics,
    read_lyrics,
    split_words,
    written_language,
)
from rasen.songs.reasons import SongError


def test_plain_text_has_paragraphs_and_sections():
    lines = parse_lyrics(
        "[Verse 1]\nover the river\n  down by the water \n\n\n[chorus]\nsing\n\nagain\n"
    )
    assert lines == [
        Line("over the river", 0, "Verse 1"),
        Line("down by the water", 0, "Verse 1"),
        Line("sing", 1, "chorus"),
        Line("again", 2, "chorus"),
    ]


def test_lyrics_without_sections_or_text():
    assert parse_lyrics("one\n\ntwo") == [Line("one", 0), Line("two", 1)]
    assert (
        parse_lyrics("") == parse_lyrics("\n \n") == parse_lyrics("[verse]\n[ar:Somebody]\n") == []
    )


def test_mark_of_byte_order_and_windows_line_ends(tmp_path):
    path = tmp_path / "song.txt"
    path.write_bytes(b"\xef\xbb\xbf[verse]\r\none\r\n\r\ntwo\r\n")
    assert read_lyrics(path) == [Line("one", 0, "verse"), Line("two", 1, "verse")]


def test_lrc_times_and_metadata():
    lines = parse_lyrics(
        "[ar:Rasen]\n[ti: River]\n[length:03:00]\n"
        "[00:08.50]over\n[00:12.5]down\n[1:02]by\n[01:04:25]x"
    )
    assert [(line.text, line.start, line.end) for line in lines] == [
        ("over", 8.5, 12.5),
        ("down", 12.5, 62.0),
        ("by", 62.0, 64.25),
        ("x", 64.25, None),
    ]
    assert {line.paragraph for line in lines} == {0}


def test_lrc_rows_with_several_times_are_sung_several_times():
    lines = parse_lyrics("[00:10][00:30]sing with me\n[00:20]alone\n")
    assert [(line.text, line.start) for line in lines] == [
        ("sing with me", 10),
        ("alone", 20),
        ("sing with me", 30),
    ]


def test_an_empty_time_ends_the_line_before_it_and_the_paragraph():
    first, second = parse_lyrics("[00:10]one\n[00:14]\n[00:40]two")
    assert (first.start, first.end, first.paragraph) == (10, 14, 0)
    assert (second.start, second.end, second.paragraph) == (40, None, 1)


def test_lrc_with_word_times_offset_sections_and_a_row_without_time():
    lines = parse_lyrics(
        "[offset:+500]\n[chorus]\n[00:10.00]<00:10.00>sing <00:10.40>with\n(ooh)\n[00:12]me"
    )
    assert lines == [
        Line("sing with", 0, "chorus", 9.5),
        Line("(ooh)", 0, "chorus", backing=True),
        Line("me", 0, "chorus", 11.5),
    ]


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("carry me home (ooh ooh)", [("carry me home", False), ("(ooh ooh)", True)]),
        ("(ooh) (aah)!", [("(ooh) (aah)", True)]),
        ("月光（啦啦）", [("月光", False), ("（啦啦）", True)]),
        ("(I can't get no) satisfaction", [("(I can't get no) satisfaction", False)]),
        ("over the river (...)", [("over the river (...)", False)]),
        ("... (ooh)", [("(ooh)", True)]),
    ],
)
def test_what_ends_a_row_in_parentheses_is_sung_by_backing_vocals(row, parts):
    lines = parse_lyrics(f"[00:05]{row}\n[00:09]next")
    assert [(line.text, line.backing) for line in lines[:-1]] == parts
    assert {(line.start, line.end, line.paragraph) for line in lines[:-1]} == {(5, 9, 0)}


def test_lines_with_one_stamp_end_with_the_next_one():
    first, second, third = parse_lyrics("[00:05]over the river\n[00:05]又过了河\n[00:09]next")
    assert (first.end, second.end, third.end) == (9, 9, None)


@pytest.mark.parametrize(
    ("text", "language"),
    [("over the river", "en"), ("夜风 love 轻轻吹过来", "zh"), ("夜風とlove", "ja"), ("♪", "en")],
)
def test_the_script_tells_the_language(text, language):
    assert written_language(parse_lyrics(text)) == language


@pytest.mark.parametrize("data", [b"\xff\xfeo\x00n\x00e\x00", b"caf\xe9", b"PK\x03\x04\x00\x00"])
def test_what_is_not_text_is_rejected(tmp_path, data):
    path = tmp_path / "song.txt"
    path.write_bytes(data)
    with pytest.raises(SongError) as caught:
        read_lyrics(path)
    assert caught.value.reason == "lyrics_unreadable"


def test_a_missing_file_is_rejected(tmp_path):
    with pytest.raises(SongError, match="no such file") as caught:
        read_lyrics(tmp_path / "none.txt")
    assert caught.value.reason == "lyrics_unreadable"


@pytest.mark.parametrize(
    ("text", "language", "units"),
    [
        ("Over the River, again!", "en", ["over", "the", "river", "again"]),
        ("Don’t stop 'til it‘s singin'", "en", ["don't", "stop", "til", "it's", "singin"]),
        ("na-na–na — hey...", "en", ["na", "na", "na", "hey"]),
        ("caf\u00e9 cafe\u0301 Ｆｕｌｌ①", "en", ["cafe", "cafe", "full1"]),
        ("(ooh) “quoted” ♪ 24/7", "en", ["ooh", "quoted", "24", "7"]),
        ("STRASSE straße", "de", ["strasse", "strasse"]),
        ("月光，照在。", "zh", ["月", "光", "照", "在"]),
        ("我爱你 Baby!别 don't", "zh", ["我", "爱", "你", "baby", "别", "don't"]),
        ("よるの・ソラ〜ー", "ja", list("よるのそらー")),
        ("か\u3099んばる ｶﾞ 人々", "ja", list("がんばるが人々")),
        ("葛\U000e0100飾 Love2", "ja", ["葛", "飾", "love2"]),
        ("... ♪ -- '' !?", "en", []),
        ("…、。", "ja", []),
    ],
)
def test_units(text, language, units):
    assert normalised_words(text, language) == units


def test_words_stay_as_written_and_match_the_units_one_to_one():
    text = "Café na-na DON’T ﬁre"
    assert split_words(text, "en") == ["Café", "na", "na", "DON'T", "fire"]
    assert len(normalised_words(text, "en")) == 5
    assert split_words("ソラ Love", "ja") == ["ソ", "ラ", "Love"]
