"""The fixture songs aligned by the real tools with small weights: onsets, lines, words, reasons.

Runs with the python of the songs environment.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from schema_defaults import default_settings

from rasen.errors import RasenError
from rasen.io.audio import read_mono, resample
from rasen.songs import lyrics, recording, stems, thin
from rasen.songs.align import align_song, open_tools
from rasen.songs.align.aligner import Aligner
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.transcriber import Transcriber, group_segments
from rasen.songs.align.words import Chunk
from rasen.songs.demo import compose
from rasen.songs.reasons import SongError

torch.set_num_threads(1)
SONGS = Path(__file__).parents[2] / "resources/songs"
MODELS = SONGS / "models"
NAMES = ("river", "tsuki", "yue")
RATE = 16000


@pytest.fixture(scope="module")
def tools():
    aligners = dict.fromkeys(("en", "ja", "zh"), str(MODELS / "aligner"))
    # beam 1: the small Whisper is fitted to the songs, and other beams mislead it
    settings = default_settings(
        AlignSettings, "align", whisper=str(MODELS / "whisper"), aligners=aligners, beam=1
    )
    return open_tools(settings)


@pytest.fixture(scope="module")
def separated():
    """Vocals that Demucs takes out of the composed songs, [time] at 16 kHz."""
    model = str(MODELS / "demucs")
    settings = default_settings(stems.SeparationSettings, "separate", model=model)
    separator = stems.open_separator(settings, "cpu")

    @cache
    def separate(name, voice=True):
        _, vocals, band = compose.fixture_song(SONGS, name, 1)
        mix = vocals + band if voice else band
        vocals, _ = stems.separate(separator, mix, compose.RATE, name)
        return resample(vocals.mean(axis=0), compose.RATE, RATE)

    return separate


def clean(name):
    return read_mono(SONGS / "vocals" / f"{name}.ogg", RATE)


def truth(name):
    return json.loads((SONGS / "truth" / f"{name}.json").read_text(encoding="utf-8"))


def text(name):
    return (SONGS / "lyrics" / f"{name}.txt").read_text(encoding="utf-8")


def align(tools, name, edit=lambda text: text, vocals=None, language=None, **more):
    vocals = clean(name) if vocals is None else vocals
    lines = lyrics.parse_lyrics(edit(text(name)))
    return align_song(tools, vocals, lines, language or truth(name)["language"], **more)


def swap(old, new, count=1):
    def edit(text):
        assert old in text
        return text.replace(old, new, count)

    return edit


def distances(alignment, name):
    """Seconds from each word's onset to the true one; every line must be kept."""
    lines = truth(name)["lines"]
    assert [line["reason"] for line in alignment["lines"]] == [None] * len(lines)
    found = [word for line in alignment["lines"] for word in line["words"]]
    true = [word for line in lines for word in line["words"]]
    assert [word["word"] for word in found] == [word["word"] for word in true]
    return np.array([a["start"] - b["start"] for a, b in zip(found, true, strict=True)])


def reason(*args, **more):
    with pytest.raises(SongError) as caught:
        align(*args, **more)
    return caught.value.reason


def recovered(alignment):
    return [w for line in alignment["lines"] for w in line["words"] if w["source"] == "recovered"]


@pytest.mark.parametrize("name", NAMES)
def test_onsets_on_clean_vocals(tools, name):
    alignment = align(tools, name)
    assert alignment["match_ratio"] == 1
    assert abs(distances(alignment, name)).mean() < 0.030


@pytest.mark.parametrize("name", NAMES)
def test_onsets_after_separation(tools, separated, name):
    alignment = align(tools, name, vocals=separated(name))
    assert alignment["match_ratio"] > 0.9
    assert abs(distances(alignment, name)).mean() < 0.060


def test_onsets_from_recompressed_stems(tools, tmp_path):
    """`songs.stems: opus`: as good as from the stems that were separated."""
    _, vocals, band = compose.fixture_song(SONGS, "river", 1)
    stems.write_stems(tmp_path, vocals, band, compose.RATE, "flac")
    listed = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    errors = []
    for _ in range(2):
        sound, rate = stems.read_stem(tmp_path, "vocals")
        alignment = align(tools, "river", vocals=recording.to_mono(sound, rate, RATE))
        errors.append(abs(distances(alignment, "river")).mean())
        taken = thin.thin_stems(tmp_path, listed, "opus")
    assert errors[1] != errors[0]  # from other samples
    assert abs(errors[1] - errors[0]) < 0.002
    assert taken < sum(listed.values()) / 5


@pytest.mark.parametrize(
    ("name", "line", "wrong"),
    [
        ("river", "down by the water my story is told", "seven tall horses ran after dogs"),
        ("tsuki", "かわのみずにほしがうつる", "けさもえきまえでパンをたべる"),
        ("yue", "夜风轻轻吹过来", "今天早餐吃面包"),
    ],
)
def test_a_wrong_line_and_a_line_that_is_never_sung(tools, name, line, wrong):
    alignment = align(tools, name, swap(line, wrong))
    reasons = [line["reason"] for line in alignment["lines"]]
    assert reasons == [None, "mismatch", *[None] * (len(reasons) - 2)]
    assert 0.7 < alignment["match_ratio"] < 1
    alignment = align(tools, name, swap(line, f"{line}\n{wrong}"))
    reasons = [line["reason"] for line in alignment["lines"]]
    assert reasons == [None, None, "not_sung", *[None] * (len(reasons) - 3)]


@pytest.mark.parametrize(
    ("name", "line", "shorter", "word", "line_number"),
    [
        ("river", "sing with me river and", "sing with me and", "river", 2),
        ("river", "over the river", "the river", "over", 0),
        ("tsuki", "たかい山に", "たかいに", "山", 3),
        ("yue", "月光照在", "月光在", "照", 0),
    ],
)
def test_a_missing_word_comes_back(tools, separated, name, line, shorter, word, line_number):
    true = truth(name)["lines"][line_number]["words"]
    start = next(part["start"] for part in true if part["word"] == word)
    for vocals in (clean(name), separated(name)):
        back = recovered(align(tools, name, swap(line, shorter), vocals))
        assert [part["word"] for part in back] == [word]
        assert back[0]["start"] == pytest.approx(start, abs=0.060)


def test_a_misspelt_word_does_no_harm(tools):
    alignment = align(
        tools, "river", swap("over the river the morning", "over the rivver teh mornin'")
    )
    line = alignment["lines"][0]
    assert line["match"] > 0.8
    off = [
        word["start"] - true["start"]
        for word, true in zip(line["words"], truth("river")["lines"][0]["words"], strict=True)
    ]
    assert np.abs(off).mean() < 0.030
    assert not recovered(alignment)


def test_time_stamps(tools, separated):
    """LRC is used without Whisper; where its times are wrong the lines are found without them."""
    lines = lyrics.read_lyrics(SONGS / "lyrics/river.lrc")
    deaf = replace(tools, transcriber=None)
    for vocals in (clean("river"), separated("river")):
        stamped = align_song(deaf, vocals, lines, "en")
        assert stamped["way"] == "lrc"
        assert abs(distances(stamped, "river")).mean() < 0.015
    for line in lines:
        line.start, line.end = (line.start * 7) % 48, None
    wrong = align_song(deaf, clean("river"), lines, "en")
    assert wrong["way"] == "turns"
    assert abs(distances(wrong, "river")).mean() < 0.015


@pytest.mark.parametrize("name", NAMES)
def test_without_a_whisper(tools, separated, name):
    """The voice alone is enough; the figures are those of a transcript."""
    deaf = replace(tools, settings=replace(tools.settings, whisper=None))
    for vocals in (clean(name), separated(name)):
        alignment = align(deaf, name, vocals=vocals)
        assert alignment["way"] == "turns"
        assert abs(distances(alignment, name)).mean() < 0.015
    assert reason(deaf, name, vocals=separated(name, voice=False)) in (
        "no_vocals",
        "lyrics_mismatch",
    )
    assert reason(deaf, name, vocals=np.zeros(20 * RATE)) == "no_vocals"


@pytest.mark.parametrize("name", NAMES)
def test_a_verse_that_is_cut_out_of_a_song(tools, name):
    """Whisper has memorised whole songs, and hears others in a cut of them."""
    verse, vocals, band = compose.fixture_song(SONGS, name, 0)
    section = next(part for part in verse["sections"] if part["label"] == "verse")
    first, last = (round(section[edge] * compose.RATE) for edge in ("start", "end"))
    model = str(MODELS / "demucs")
    settings = default_settings(stems.SeparationSettings, "separate", model=model)
    separator = stems.open_separator(settings, "cpu")
    found, _ = stems.separate(separator, (vocals + band)[:, first:last], compose.RATE, name)
    found = resample(found.mean(axis=0), compose.RATE, RATE)
    lines = [line for line in verse["lines"] if section["start"] <= line["start"] < section["end"]]
    text = "\n".join(line["text"] for line in lines)
    alignment = align_song(tools, found, lyrics.parse_lyrics(text), verse["language"])
    assert alignment["match_ratio"] == 1
    off = [
        word["start"] - true["start"] + section["start"]
        for line, sung in zip(alignment["lines"], lines, strict=True)
        for word, true in zip(line["words"], sung["words"], strict=True)
    ]
    assert np.abs(off).mean() < 0.030


def test_a_line_that_whisper_misses_is_found(tools, monkeypatch):
    line = "over the mountain the evening is blue"
    honest = Transcriber.transcribe

    def transcribe_less(self, *args):
        parts = honest(self, *args)
        return [replace(part, text=part.text.replace(line, "")) for part in parts]

    monkeypatch.setattr(Transcriber, "transcribe", transcribe_less)
    assert align(tools, "river")["lines"][4]["reason"] == "not_sung"
    strict = replace(tools, settings=replace(tools.settings, recognised=0.95))
    found = align(strict, "river")
    assert found["way"] == "turns"
    assert abs(distances(found, "river")).mean() < 0.030


def test_songs_that_are_rejected(tools, separated):
    other = lambda text: "\n".join(  # noqa: E731
        ["every little window opens wide", "people walking slowly to the station"] * 4
    )
    assert reason(tools, "river", other) == "lyrics_mismatch"
    assert reason(tools, "river", lambda _: text("yue"), language="zh") == "wrong_language"
    assert reason(tools, "yue", lambda _: text("river"), language="en") == "wrong_language"
    assert reason(tools, "river", vocals=np.zeros(20 * RATE)) == "no_vocals"
    assert reason(tools, "river", vocals=separated("river", voice=False)) == "no_vocals"
    assert reason(tools, "river", vocals=clean("river")[:100]) == "no_vocals"
    assert reason(tools, "river", lambda _: "[verse]\n") == "no_lyrics"


@pytest.mark.parametrize("name", NAMES)
def test_the_language_is_found(tools, name):
    alignment = align_song(tools, clean(name), lyrics.parse_lyrics(text(name)))
    assert alignment["language"] == truth(name)["language"]
    assert alignment["match_ratio"] == 1


def test_an_aligner_at_its_edges(tools):
    sound, aligner = clean("river"), tools.aligner
    assert aligner.align(sound, [], "en", 8, 11) == []
    assert aligner.align(sound, ["over"], "en", 8.5, 8.5) == []
    assert aligner.align(sound, ["over"], "en", 60, 61) == []
    assert aligner.align(sound, ["over"] * 50, "en", 8, 8.5) == []
    first, last = truth("river")["lines"][0], truth("river")["lines"][-1]
    strange = aligner.align(sound, ["Óver", "月7", "river"], "en", 8.3, 9.5)
    assert strange[0].start == pytest.approx(8.5, abs=0.03)
    assert [word.text for word in strange] == ["Óver", "月7", "river"]
    # a window that begins before the song or ends after it is cut, and times are not stretched
    cut = sound[: int(RATE * (last["end"] + 0.2))]
    long = aligner.align(cut, last["text"].split(), "en", last["start"] - 0.2, 1000)
    off = [word.start - true["start"] for word, true in zip(long, last["words"], strict=True)]
    assert np.abs(off).mean() < 0.03
    early = aligner.align(sound[int(RATE * 8.5) :], first["text"].split(), "en", -3, 2.8)
    assert early[-1].start == pytest.approx(first["words"][-1]["start"] - 8.5, abs=0.05)


def test_wrong_folders_are_named(tmp_path):
    with pytest.raises(RasenError, match="holds no wav2vec2"):
        Aligner({"en": tmp_path})
    with pytest.raises(RasenError, match=r"holds no Whisper of CTranslate2"):
        Transcriber(tmp_path, onset=0.3, offset=0.2, chunk=30, beam=5)


def test_long_silences_and_long_chunks_separate_segments():
    segments = [(10.0, 12.0), (0.0, 2.0), (3.5, 5.0), (13.0, 45.0)]
    assert group_segments(segments, 30) == [
        Chunk(0.0, 5.0, ((0.0, 2.0), (3.5, 5.0))),
        Chunk(10.0, 12.0, ((10.0, 12.0),)),
        Chunk(13.0, 45.0, ((13.0, 45.0),)),
    ]
