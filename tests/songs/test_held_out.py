"""A song that no model was trained on: other words, voice, tempo and accompaniment.

The fixture Whisper, which knows three other songs by heart, hears nothing or one line of it. Made
by `resources/songs/make/make_songs.py`; its accompaniment is another one too.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from schema_defaults import default_settings

from rasen.io.audio import read_mono, resample
from rasen.songs import lyrics, stems
from rasen.songs.align import align_song, open_tools
from rasen.songs.align.settings import AlignSettings
from rasen.songs.align.transcriber import Transcriber
from rasen.songs.align.words import Transcript
from rasen.songs.demo import compose
from rasen.songs.reasons import SongError

torch.set_num_threads(1)
HERE = Path(__file__).parent / "held_out"
SONGS = Path(__file__).parents[2] / "resources/songs"
MODELS = SONGS / "models"
NAME, RATE = "lantern", 16000
CLEAN, SEPARATED = 0.030, 0.080  # seconds that a word's onset may be off, in the mean
UNSUNG = "every little window opens wide", "people walking slowly to the station"


@pytest.fixture(scope="module")
def tools():
    aligners = dict.fromkeys(("en", "ja", "zh"), str(MODELS / "aligner"))
    settings = default_settings(
        AlignSettings, "align", whisper=str(MODELS / "whisper"), aligners=aligners, beam=1
    )
    return open_tools(settings)


@pytest.fixture(scope="module", params=["clean", 7])
def sung(request):
    """(vocals [time] at 16 kHz, error allowed in the mean): clean, or separated from a mix."""
    if request.param == "clean":
        return read_mono(HERE / f"vocals/{NAME}.ogg", RATE), CLEAN
    _, vocals, band = compose.fixture_song(HERE, NAME, request.param)
    model = str(MODELS / "demucs")
    settings = default_settings(stems.SeparationSettings, "separate", model=model)
    separator = stems.open_separator(settings, "cpu")
    found, _ = stems.separate(separator, vocals + band, compose.RATE, NAME)
    return resample(found.mean(axis=0), compose.RATE, RATE), SEPARATED


@pytest.fixture(params=["deaf", "one line", "none", "lrc"])
def way(request, tools, monkeypatch):
    """(tools, the end of the lyrics file): a Whisper that hears other songs, one that hears one
    line, none; and LRC, with no Whisper either."""
    if request.param == "one line":

        def hear_one_line(self, vocals, chunks, language, batch):
            chunk = chunks[0]
            return [Transcript(chunk.start, chunk.end, truth()["lines"][0]["text"], -0.2)]

        monkeypatch.setattr(Transcriber, "transcribe", hear_one_line)
    if request.param in ("none", "lrc"):
        tools = replace(tools, settings=replace(tools.settings, whisper=None))
    return tools, "lrc" if request.param == "lrc" else "txt"


def truth():
    return json.loads((HERE / f"truth/{NAME}.json").read_text(encoding="utf-8"))


def text(end):
    return (HERE / f"lyrics/{NAME}.{end}").read_text(encoding="utf-8")


def errors(alignment):
    """Seconds from the true onset of each word of the kept lines that are sung; their share."""
    found = [line for line in alignment["lines"] if line["text"] not in UNSUNG]
    pairs = [
        (word["start"], true["start"])
        for line, sung_line in zip(found, truth()["lines"], strict=True)
        for word, true in zip(line["words"], sung_line["words"], strict=False)
    ]
    words = sum(len(line["words"]) for line in truth()["lines"])
    return np.abs([a - b for a, b in pairs]), len(pairs) / words


def test_the_words_are_found(sung, way):
    (vocals, allowed), (tools, end) = sung, way
    alignment = align_song(tools, vocals, lyrics.parse_lyrics(text(end)), "en")
    assert alignment["way"] == ("lrc" if end == "lrc" else "turns")
    off, share = errors(alignment)
    print(f"{len(off)} words, {1000 * off.mean():.1f} ms, at most {1000 * off.max():.0f} ms")
    assert share >= 0.95
    assert off.mean() <= allowed
    assert alignment["surprise"] > 2 * tools.settings.surprise


@pytest.mark.parametrize("off", [-0.5, 0.5])
def test_stamps_that_are_off_change_no_word(tools, sung, off):
    lines = lyrics.parse_lyrics(f"[offset:{round(1000 * off)}]\n" + text("lrc"))
    found = align_song(replace(tools, transcriber=None), sung[0], lines, "en")
    assert found["way"] == "lrc"
    moved, share = errors(found)
    assert (share, moved.mean() <= sung[1]) == (1, True)


def test_an_unsung_verse_is_dropped(sung, way):
    (vocals, allowed), (tools, end) = sung, way
    rows = text(end).splitlines()
    at = next(n for n, row in enumerate(rows) if "my heart" in row)
    stamps = ("[00:17.60]", "[00:18.70]") if end == "lrc" else ("", "")
    rows[at:at] = [stamp + line for stamp, line in zip(stamps, UNSUNG, strict=True)]
    alignment = align_song(tools, vocals, lyrics.parse_lyrics("\n".join(rows)), "en")
    kept = {line["text"]: line["kept"] for line in alignment["lines"]}
    assert not any(kept[line] for line in UNSUNG)
    off, share = errors(alignment)
    assert share >= 0.95
    assert off.mean() <= allowed


@pytest.mark.parametrize("sheet", ["other words", "another song"])
def test_a_wrong_sheet_is_rejected(sung, way, sheet):
    (vocals, _), (tools, end) = sung, way
    wrong = (SONGS / f"lyrics/river.{end}").read_text(encoding="utf-8")
    if sheet == "other words":
        rows = [f"[00:{10 + 5 * n:02d}.00]{UNSUNG[n % 2]}" for n in range(8)]
        wrong = "\n".join(row if end == "lrc" else row[10:] for row in rows)
    with pytest.raises(SongError, match="standard deviations better than any text") as caught:
        align_song(tools, vocals, lyrics.parse_lyrics(wrong), "en")
    print(caught.value)
    assert caught.value.reason == "lyrics_mismatch"
