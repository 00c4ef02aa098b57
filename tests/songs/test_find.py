"""Aligning a song with models that know the truth: kept lines, recovered words, rejections."""

import json
from dataclasses import replace

import numpy as np
import pytest
from oracle import SETTINGS, sound, sung, tools

from rasen.errors import RasenError
from rasen.songs.align import SINGABLE, align_song
from rasen.songs.align.words import SAMPLE_RATE
from rasen.songs.alignment import alignment_tables, lead_lines, read_alignment, write_alignment
from rasen.songs.lyrics import parse_lyrics
from rasen.songs.reasons import SongError

RIVER = "over the river|down by the water|sing with me now|under the moon"


def align(truth, text, language="en", **more):
    lyrics = text if "[" in text else text.replace("|", "\n")
    return align_song(tools(truth, **more), sound(truth), parse_lyrics(lyrics), language)


def rejected(*args, **more):
    with pytest.raises(SongError) as caught:
        align(*args, **more)
    return caught.value.reason


def reasons(alignment):
    return [line["reason"] for line in alignment["lines"]]


def onsets(line):
    return [word["start"] for word in line["words"]]


def all_onsets(found):
    return [start for line in found["lines"] for start in onsets(line)]


def test_a_song_as_its_lyrics_say(tmp_path):
    truth = sung(RIVER)
    found = align(truth, RIVER)
    assert found["match_ratio"] == 1
    assert found["score"] == 0.75
    assert found["seconds"] == pytest.approx(truth[-1].end + 2)
    assert all_onsets(found) == pytest.approx([w.start for w in truth])
    assert json.loads(json.dumps(found)) == found
    write_alignment(tmp_path / "alignment.json", found)
    assert read_alignment(tmp_path / "alignment.json") == found
    lines, words = (table.to_pandas() for table in alignment_tables([found]))
    assert list(lines.kept) == [True] * 4
    assert list(words.word) == [w.text for w in truth]
    assert list(words[words.line == 1]["index"]) == [0, 1, 2, 3]


def test_windows_hold_one_line_and_nothing_else():
    truth = sung(RIVER, line_pause=0.05)
    opened = tools(truth)
    align_song(opened, sound(truth), parse_lyrics(RIVER.replace("|", "\n")), "en")
    for words, start, end in opened.aligner.asked[1:]:
        mine = [w for w in truth if w.text in words and start < (w.start + w.end) / 2 < end]
        others = [w for w in truth if start + 0.06 < (w.start + w.end) / 2 < end - 0.06]
        assert [w.text for w in mine] == [w.text for w in others] == words


def test_a_wrong_line_and_a_line_that_is_not_sung():
    truth = sung(RIVER)
    wrong = align(truth, RIVER.replace("down by the water", "quite another thing here"))
    assert reasons(wrong) == [None, "mismatch", None, None]
    assert wrong["lines"][1]["words"] == []
    assert wrong["match_ratio"] == pytest.approx(10 / 14, abs=1e-3)
    more = align(truth, RIVER.replace("|sing", "|nobody sings this line|sing"))
    assert reasons(more) == [None, None, "not_sung", None, None]


@pytest.mark.parametrize("gone", ["the river", "by", "down", "water", "over", "moon", "now"])
def test_a_missing_word_is_recovered_wherever_it_stands(gone):
    word = gone.split()[-1]
    truth = sung(RIVER)
    lyrics = RIVER.replace(gone, " ".join(gone.split()[:-1]), 1)
    found = align(truth, lyrics)
    back = [w for line in found["lines"] for w in line["words"] if w["source"] == "recovered"]
    assert [w["word"] for w in back] == [word]
    assert back[0]["start"] == next(w.start for w in truth if w.text == word)
    assert reasons(found) == [None] * 4


def test_a_whole_missing_line_is_not_put_into_its_neighbours():
    found = align(sung(RIVER, line_pause=0.1), RIVER.replace("|sing with me now", ""))
    assert all(w["source"] == "lyrics" for line in found["lines"] for w in line["words"])


def test_a_recovered_word_that_makes_a_line_worse_is_left_out():
    truth = sung(RIVER)
    found = align(truth, RIVER, transcript=" ".join(w.text for w in truth).replace("by", "by yes"))
    assert [w["word"] for w in found["lines"][1]["words"]] == ["down", "by", "the", "water"]


def test_misspelt_words_and_punctuation_do_no_harm():
    found = align(sung(RIVER), "Over, the rivver!|Down by — the water ...|♪|Sing with me now")
    assert reasons(found) == [None, None, "no_words", None]
    assert found["lines"][0]["match"] == 1
    assert [w["word"] for w in found["lines"][0]["words"]] == ["Over", "the", "rivver"]


def test_a_chorus_sung_twice_and_printed_twice():
    text = "sing with me river|alone alone|over the hill we go|sing with me river|alone alone"
    truth = sung(text)
    found = align(truth, text)
    assert all_onsets(found) == pytest.approx([w.start for w in truth])


def test_a_chorus_printed_twice_and_sung_once():
    truth = sung("over the hill we go|sing with me river|down the hill we ran")
    text = "over the hill we go|sing with me river|down the hill we ran|sing with me river"
    assert reasons(align(truth, text)) == [None, None, None, "not_sung"]


LRC = (
    "[00:02.00]over the river\n[00:04.50]down by the water\n[00:07.50]sing with me now\n"
    "[00:10.50]under the moon"
)


def transcript_without(truth, *lines):
    """The transcript of a song that lacks some lines."""
    text = " ".join(word.text for word in truth)
    for line in lines:
        text = text.replace(line + " ", "")
    return text


def test_a_line_that_was_not_transcribed_is_found_where_a_voice_is():
    truth = sung(RIVER)
    found = align(truth, RIVER, transcript=transcript_without(truth, "sing with me now"))
    assert reasons(found) == [None] * 4
    assert onsets(found["lines"][2]) == pytest.approx([7.5, 8.0, 8.5, 9.0])
    assert found["lines"][2]["match"] == 0
    assert found["match_ratio"] == 1


def test_where_few_lines_were_transcribed_they_are_sought_in_the_sound():
    truth = sung(RIVER)
    transcript = transcript_without(truth, "down by the water", "sing with me now")
    found = align(truth, RIVER, transcript=transcript)
    assert found["way"] == "turns"
    assert reasons(found) == [None] * 4
    assert all_onsets(found) == pytest.approx([w.start for w in truth])
    assert found["surprise"] > 2 * SETTINGS.surprise
    # An aligner that hears nothing there leaves what was recognised, if that is not too little.
    assert rejected(truth, RIVER, transcript=transcript, deaf=True) == "lyrics_mismatch"


def test_a_song_without_a_transcript_is_found_in_the_sound():
    truth = sung(RIVER)
    assert align(truth, RIVER, transcript="")["way"] == "turns"
    assert align(truth, RIVER, transcript="quite other words are heard")["match_ratio"] == 1
    assert rejected(truth, RIVER, transcript="", deaf=True) == "no_vocals"


def test_lrc_times_need_no_transcript():
    truth = sung(RIVER)
    opened = replace(tools(truth), transcriber=None)
    found = align_song(opened, sound(truth), parse_lyrics(LRC))
    assert (found["way"], found["language"]) == ("lrc", "en")
    assert all_onsets(found) == pytest.approx([w.start for w in truth])


@pytest.mark.parametrize("off", [-0.8, -0.3, 0.3, 0.8])
def test_stamps_may_be_off_without_a_neighbour_being_pulled_in(off):
    """A chorus that is sung twice in a row: each stamp keeps its own."""
    text = "over the river|over the river|down by the water|over the river"
    truth = sung(text, line_pause=0.3)
    starts = [2, 3.8, 5.6, 7.9]
    rows = zip(starts, text.split("|"), strict=True)
    lrc = "\n".join(f"[00:{start + off:05.2f}]{row}" for start, row in rows)
    found = align(truth, lrc)
    assert found["way"] == "lrc"
    assert all_onsets(found) == pytest.approx([w.start for w in truth])
    middle = "\n".join(row for n, row in enumerate(lrc.splitlines()) if n != 1)  # printed once
    found = align(truth, middle)
    third = truth[6:]
    assert all_onsets(found)[3:] == pytest.approx([w.start for w in third])


def test_a_line_that_voice_detection_lost_is_transcribed_again():
    truth = sung(RIVER)
    found = align(truth, RIVER, lost=(7.2, 9.6))
    assert reasons(found) == [None] * 4
    assert found["match_ratio"] == 1
    assert onsets(found["lines"][2]) == pytest.approx([7.5, 8.0, 8.5, 9.0])


@pytest.mark.parametrize(
    "lrc",
    [
        LRC.replace("00:", "01:"),
        LRC.replace("04.50", "14.00").replace("07.50", "23.00").replace("10.50", "59.00"),
    ],
)
def test_with_wrong_time_stamps_lines_are_found_in_the_sound(lrc):
    truth = sung(RIVER)
    found = align(truth, lrc)
    kept = [line for line in found["lines"] if line["kept"]]
    assert found["way"] == "turns"
    assert [start for line in kept for start in onsets(line)] == pytest.approx(
        [w.start for w in truth]
    )


@pytest.mark.parametrize("lyrics", [RIVER, LRC])
def test_a_line_that_is_not_sung_and_a_wrong_one_without_a_transcript(lyrics):
    truth, line = sung(RIVER), "quite another thing to hear"
    old = "down by the water"
    wrong = align(truth, lyrics.replace(old, line), transcript="")
    assert reasons(wrong) == [None, "mismatch", None, None]
    stamp = "\n[00:06.60]" if "[" in lyrics else "|"
    more = align(truth, lyrics.replace(old, old + stamp + line), transcript="")
    assert reasons(more) == [None, None, "not_sung", None, None]


def test_backing_vocals_are_marked_and_the_lead_goes_on():
    truth = sung("over the river|la na la|down by the water|sing with me now")
    for lyrics in (
        "over the river (la na la)|down by the water|sing with me now",
        "[00:02]over the river\n[00:04.6](la na la)\n[00:07]down by the water\n"
        "[00:10]sing with me now",
    ):
        found = align(truth, lyrics, transcript=None if "|" in lyrics else "")
        assert [line["backing"] for line in found["lines"]] == [False, True, False, False]
        assert all_onsets(found) == pytest.approx([w.start for w in truth])
        assert [line["text"] for line in lead_lines(found)] == [
            "over the river", "down by the water", "sing with me now",
        ]  # fmt: skip
    # Backing vocals that are not heard reject no song, and take nothing from the lead.
    unheard = "over the river (la la la)|down by the water (ooh)|sing with me now (hey hey hey)"
    found = align(sung("over the river|down by the water|sing with me now"), unheard)
    assert found["match_ratio"] == 1
    assert len(lead_lines(found)) == 3


def test_lines_that_are_sung_at_the_same_time_are_marked():
    low, high = sung("over the river we go along"), sung("by all night why", start=2.2)
    both = sorted([*low, *high], key=lambda word: word.start)
    lrc = "[00:02]over the river we go along\n[00:02]by all night why\n[00:06]hello moon"
    truth = [*both, *sung("hello moon", start=6)]
    found = align(truth, lrc)
    assert reasons(found) == [None] * 3
    assert [line["overlaps"] for line in found["lines"]] == [True, True, False]


def test_words_that_whisper_writes_become_the_lyrics():
    truth = sung(RIVER)
    found = align_song(tools(truth), sound(truth), None, None)
    assert (found["lyrics"], found["way"], found["match_ratio"]) == ("asr", "recognised", 1)
    assert [line["text"] for line in found["lines"]] == RIVER.split("|")
    assert all_onsets(found) == pytest.approx([w.start for w in truth])
    assert align(truth, RIVER)["lyrics"] == "given"
    with pytest.raises(SongError) as caught:
        align_song(tools(truth, transcript=""), sound(truth), None, "en")
    assert caught.value.reason == "no_vocals"


@pytest.mark.parametrize(("score", "reason"), [(0.2, "low_score"), (0.5, "low_score"), (0.6, None)])
def test_a_line_with_a_low_score_is_dropped(score, reason):
    found = align(sung(RIVER), RIVER, scores={"under the moon": score})
    assert reasons(found) == [None, None, None, reason]


def test_songs_that_are_rejected():
    truth = sung(RIVER)
    other = "quite different words stand here|and nobody ever sings them|no not a single one"
    assert rejected(truth, other) == "lyrics_mismatch"
    assert rejected(truth, other, languages={"ja": 0.99}) == "wrong_language"
    assert rejected(truth, RIVER, languages={"ja": 0.99}) == "wrong_language"
    assert rejected(truth, other, languages={"ja": 0.6, "en": 0.4}) == "wrong_language"
    assert rejected(truth, other, languages={"ja": 0.4, "en": 0.3}) == "lyrics_mismatch"
    assert rejected([], RIVER) == "no_vocals"
    assert rejected(truth, "") == rejected(truth, "♪ ...") == "no_lyrics"
    assert rejected(truth, RIVER, "de") == "wrong_language"  # no aligner
    # Where the ear is not sure, lyrics that are found are in the right language.
    assert align(truth, RIVER, languages={"ja": 0.8})["language"] == "en"


def test_the_settings_that_decide_are_named():
    truth = sung(RIVER)
    with pytest.raises(
        SongError, match=r"with 99% certainty it is ja; `songs\.align\.certain` is 0\.9"
    ):
        align(truth, RIVER, languages={"ja": 0.99})
    with pytest.raises(SongError, match=r"0\.0 s of voice; `songs\.align\.voiced` is 1"):
        align([], RIVER)


def test_a_whisper_that_only_knows_english():
    truth, tsuki = sung(RIVER), "よるのそらに月が|うたえ"
    opened = tools(truth)
    opened.transcriber.spoken = {}
    assert (
        align_song(opened, sound(truth), parse_lyrics("over the river"), None)["language"] == "en"
    )
    truth = sung(tsuki, "ja")
    opened = tools(truth)
    opened.transcriber.spoken = {}
    found = align_song(opened, sound(truth), parse_lyrics(tsuki.replace("|", "\n")), "ja")
    assert (found["language"], found["match_ratio"]) == ("ja", 1)


def test_more_words_than_can_be_sung_are_refused_before_they_are_matched(monkeypatch):
    truth = sung(RIVER)
    most = int(SINGABLE * len(sound(truth)) / SAMPLE_RATE)
    with pytest.raises(SongError, match="of the words of the lyrics were found"):
        align(truth, "la " * most)
    monkeypatch.setattr("rasen.songs.align.find.match_words", None)
    for count in (most + 1, 200_000):
        with pytest.raises(SongError, match=f"{count} words in .* no song has more") as caught:
            align(truth, "la " * count)
        assert caught.value.reason == "lyrics_mismatch"


@pytest.mark.parametrize(
    ("text", "language"),
    [("月光照在小河上|夜风轻轻吹过来", "zh"), ("よるのそらに月が|うたえ", "ja")],
)
def test_characters_are_words(text, language):
    truth = sung(text, language)
    found = align(truth, text, None, languages={language: 0.9})
    assert found["language"] == language
    assert [w["word"] for line in found["lines"] for w in line["words"]] == [w.text for w in truth]
    less = text.replace("光", "").replace("そ", "")
    short = align(truth, less, language, languages={language: 0.9})
    back = [w for line in short["lines"] for w in line["words"] if w["source"] == "recovered"]
    assert [w["word"] for w in back] == ["光" if language == "zh" else "そ"]


def test_random_lyrics_never_break_it(rng):
    """Any text against any hearing: an alignment or a SongError, and times in order."""
    vocabulary = [*"abcdefg", "月", "...", "don't", "na-na", "é", "1", ""]
    for _ in range(60):
        truth = sung(" ".join(rng.choice(list("abcdefg"), 30)), line_pause=rng.random())
        rows = [" ".join(rng.choice(vocabulary, rng.integers(0, 7))) for _ in range(8)]
        try:
            found = align(truth, "|".join(rows))
        except SongError:
            continue
        for line in found["lines"]:
            assert line["kept"] == bool(line["words"])
            assert (np.diff(onsets(line)) >= 0).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"line_match": 1.5}, r"songs\.align\.line_match: 1\.5 is not a probability"),
        ({"onset": -0.1, "certain": 2}, r"(?s)onset: -0\.1 .*certain: 2 "),
        ({"chunk": 31}, r"songs\.align\.chunk: 31 s; Whisper takes 1 to 30"),
        ({"beam": 0}, r"songs\.align\.beam: 0"),
        ({"aligners": {}}, r"songs\.align\.aligners: names no model"),
    ],
)
def test_settings_that_are_refused(change, reason):
    with pytest.raises(RasenError, match=reason):
        replace(SETTINGS, **change)
