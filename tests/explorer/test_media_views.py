"""Features, songs and SongBloom in a browser: they play, light the right word, open and sort."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from made import CONFIG
from made_media import (
    HOSTILE,
    POINTS,
    SECONDS,
    feature_tables,
    song_tables,
    songbloom_tables,
    write_results,
)
from test_views import FAINT, NAMED, TOO_WIDE
from write_explorer import write_explorer

from rasen.io.audio import mp3_bytes

VIEWS = {"features": "features", "songs": "songs", "songbloom": "songbloom", "scores": "songbloom"}


def written(folder, tables):
    """The explorer of these tables."""
    paths = write_results(folder, tables)
    config = folder / "results/config.yaml"
    config.write_text(CONFIG)
    write_explorer(paths, config, folder / "results/benchmarks", folder / "results/explorer")
    return folder / "results/explorer"


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """Two songs with sound and words, a rejected one; a training run, its song and scores."""
    folder = tmp_path_factory.mktemp("some songs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tables = song_tables(Path()) | songbloom_tables(Path())
        return folder / written(Path(), tables)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory):
    """Features of an audio model at three points."""
    return written(tmp_path_factory.mktemp("sounds"), feature_tables())


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """Features of a text model at one point."""
    return written(tmp_path_factory.mktemp("texts"), feature_tables(POINTS[-1:], text=True))


def looked_at(page, folder, state):
    page.open(folder, state)
    page.settle()
    return page


def all_of(page, selector):
    """The texts of elements."""
    return page.run(f"[...document.querySelectorAll({selector!r})].map(n => n.textContent)")


def study_of(view, request):
    return request.getfixturevalue({"features": "sounds"}.get(view, "songs"))


@pytest.mark.parametrize("view", VIEWS)
def test_views_open_silently_and_ask_for_the_songs_alone_outside(page, view, request):
    folder = study_of(view, request)
    looked_at(page, folder, f"view={view}")
    assert page.run(f"Boolean(document.querySelector('[data-view={view}].view'))")
    assert not page.problems
    inside = folder.as_uri() + "/"
    assert all(url.startswith((inside, "data:", "blob:")) for url in page.requests)


def test_absent_subjects_have_no_tab(page, songs, sounds):
    page.open(songs)
    tabs = "[...document.querySelectorAll('nav a')].map(a => a.dataset.view)"
    assert page.run(tabs) == ["overview", "songs", "songbloom", "scores"]
    page.open(sounds)
    assert page.run(tabs) == ["overview", "features"]


# songs

AUDIO = "document.querySelector('.song audio')"
LIT = "document.querySelector('.word.lit')?.textContent ?? null"


def test_a_song_plays_and_lights_the_word_that_is_sung(page, songs):
    looked_at(page, songs, "view=songs&song=song1")
    page.run("document.querySelector('.song button.play').click()")
    page.wait(f"{AUDIO}.currentTime > 0.1 && !{AUDIO}.paused")
    assert page.run(f"{AUDIO}.duration") == pytest.approx(SECONDS, abs=0.1)
    assert "audio/song1%201.flac" in page.run(f"{AUDIO}.src")
    for _ in range(3):  # word n is sung from n to n + .6
        page.wait(LIT)
        now, word = page.run(f"[{AUDIO}.currentTime, {LIT}]")
        assert word in (None, f"word{int(now)}", f"word{int(now - 0.1)}")
        page.run("new Promise(done => setTimeout(done, 300))")
    page.run("document.querySelector('.song button.play').click()")
    page.wait(f"{AUDIO}.paused")
    assert not page.problems


@pytest.mark.parametrize(
    ("at", "word"), [(3.2, "word3"), (3.8, None), (9.0, "word9"), (0, "word0")]
)
def test_seeking_lights_the_right_word(page, songs, at, word):
    looked_at(page, songs, "view=songs&song=song0")
    place = page.run(
        f"(box => [box.left + box.width * {at} / {SECONDS}, box.top + 60])"
        "(document.querySelector('.wave-slider').getBoundingClientRect())"
    )
    held = {"button": "left", "clickCount": 1}
    page.mouse("mousePressed", *place, **held)
    page.mouse("mouseReleased", *place, **held)
    page.settle()
    assert page.run(LIT) == word


def test_the_waveform_is_moved_by_keys_and_told_in_words(page, songs):
    looked_at(page, songs, "view=songs&song=song0")
    page.run("document.querySelector('.wave-slider').focus()")
    page.key("ArrowRight")
    told = "document.querySelector('.wave-slider').getAttribute('aria-valuetext')"
    assert page.run(told) == "0:05, verse"
    page.key(" ")
    page.wait(f"!{AUDIO}.paused && {AUDIO}.currentTime > 5")
    page.key(" ")
    page.wait(f"{AUDIO}.paused")


def test_the_voice_is_heard_from_the_same_place(page, songs):
    looked_at(page, songs, "view=songs&song=song0&t=3.2")
    page.run("document.querySelector('.song button.play').click()")
    page.wait(f"{AUDIO}.currentTime > 3.2")
    choose = "(s => { s.selectedIndex = 1; s.dispatchEvent(new Event('change')); })"
    page.run(f"{choose}(document.querySelector('.song select'))")
    page.wait(f"{AUDIO}.src.endsWith('songs/song0/vocals.flac') && {AUDIO}.currentTime > 3.2")
    assert page.run(f"{AUDIO}.currentTime") < 8


def test_another_view_is_silent(page, songs):
    looked_at(page, songs, "view=songs&song=song0")
    page.run(f"window.heard = {AUDIO}; document.querySelector('.song button.play').click()")
    page.wait("!heard.paused")
    page.run("document.querySelector('nav a[data-view=songbloom]').click()")
    page.wait("document.querySelector('[data-view=songbloom].view') && heard.paused")


def test_a_rejected_song_has_its_reason_and_cure(page, songs):
    looked_at(page, songs, "view=songs&song=song2")
    told = page.run("document.querySelector('.song .told').textContent")
    assert "not those of the lyrics" in told
    assert "Cure: find the song's own" in told
    assert "find the song's own" in page.run("document.querySelector('.cures').textContent")
    page.run("document.querySelector('.song button.play').click()")
    page.wait(f"{AUDIO}.currentTime > 0.1")  # heard all the same


def test_sound_that_is_not_there_is_told_with_the_way_to_have_it(page, songs, tmp_path):
    folder = shutil.copytree(songs, tmp_path / "explorer")
    looked_at(page, folder, "view=songs&song=song0")
    page.run("document.querySelector('.song button.play').click()")
    told = page.wait("document.querySelector('.player .told:not([hidden])')?.textContent")
    assert "song0 1.flac cannot be played" in told
    assert "explorer: {media: copy}" in told


def test_lyrics_that_were_not_shared_are_told(page, songs, tmp_path):
    folder = shutil.copytree(songs, tmp_path / "explorer")
    shutil.rmtree(folder / "data/song_lyrics")
    looked_at(page, folder, "view=songs&song=song0")
    assert "not in this copy" in page.run("document.querySelector('.song').textContent")
    assert page.run("document.querySelectorAll('.wave path').length") == 2


def test_the_table_behind_a_song_has_sections_and_words(page, songs):
    looked_at(page, songs, "view=songs&song=song0")
    page.run("document.querySelector('.song [aria-controls]').click()")
    page.settle()
    rows = all_of(page, ".song .row")
    assert rows[0].startswith("section")
    assert "intro" in rows[0]
    assert any("word1" in row for row in rows)


# features


def listed(page, column=0):
    """A column of the list as it is shown."""
    rows = "[...document.querySelectorAll('.feature-list .row')]"
    return page.run(f"{rows}.map(row => row.children[{column}].textContent)")


def test_confirmed_features_lead_and_an_unlabelled_one_does_not(page, sounds):
    looked_at(page, sounds, "view=features&point=trained")
    assert listed(page)[:3] == ["1", "2", "3"]
    for times in (1, 2):  # by AP, up and down: the AP of 1 of feature 0 is not among them
        page.run("document.querySelectorAll('.feature-list .head button')[4].click()")
        page.settle()
        assert set(listed(page)[:3]) == {"1", "2", "3"}, times
    page.run("document.querySelector('.feature-list input').value = 'chord c'")
    page.run("document.querySelector('.feature-list input').dispatchEvent(new Event('input'))")
    assert listed(page) == ["2"]


@pytest.mark.parametrize(
    ("show", "count"),
    [("confirmed", 2), ("labelled", 3), ("kept", 39), ("partner", 40), ("alone", 0)],
)
def test_features_are_filtered(page, sounds, show, count):
    looked_at(page, sounds, f"view=features&point={POINTS[1]}&show={show}")
    told = page.run("document.querySelector('.feature-list [role=status]').textContent")
    assert told == f"{count} rows"


def test_a_feature_opens_with_its_clips_and_partners(page, sounds):
    looked_at(page, sounds, f"view=features&point={POINTS[1]}")
    page.run("document.querySelectorAll('.feature-list .row')[1].click()")
    page.wait("document.querySelector('.feature-page h3').textContent.startsWith('Feature 2')")
    page.wait("document.querySelectorAll('.clip svg path').length === 5")
    assert len(set(all_of(page, ".clip b"))) == 5
    assert "AUROC 0.8" in page.run("document.querySelector('.feature-page').textContent")
    links = all_of(page, ".partners a")
    assert links == ["feature 1", "feature 3"]
    page.run("document.querySelector('.partners a').click()")
    page.wait("document.querySelector('.feature-page h3').textContent.startsWith('Feature 1')")
    assert f"point={POINTS[0]}" in page.run("location.hash")
    assert not page.problems


def test_the_height_is_the_activation(page, sounds):
    looked_at(page, sounds, "view=features&point=trained&feature=2")
    path = page.run("document.querySelector('.clip path').getAttribute('d')")
    levels = feature_tables()["sae/nano/trained/layer-04/top_clips"].query("feature == 2")
    heights = [float(part.split("H")[0]) for part in path.split("V")[1:-1]]
    expected = [2 + 42 * (1 - level / 255) for level in levels["activation"].iloc[0]]
    assert heights == pytest.approx(expected, abs=0.051)


def test_clips_that_were_not_exported_name_the_command(page, sounds):
    looked_at(page, sounds, "view=features&point=trained&feature=2")
    page.run("document.querySelector('.clip button.play').click()")
    told = page.wait("document.querySelector('.clip .told:not([hidden])')?.textContent")
    assert "sae/nano/trained/layer-04/clips/000002.flac" in told
    assert "snakemake sae_clips" in told


def test_an_exported_clip_plays_with_its_activation(page, tmp_path):
    tables = feature_tables(POINTS[-1:])
    folder = written(tmp_path, tables)
    exported = tmp_path / "results/sae/nano/trained/layer-04/clips/000002.flac"
    exported.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(exported, np.sin(np.arange(64000) / 20) / 3, 16000)
    looked_at(page, folder, "view=features&feature=2")
    page.run("document.querySelector('.clip button.play').click()")
    line = "parseFloat(document.querySelector('.clip .playhead').style.left)"
    page.wait(f"{line} > 5")
    now = page.run(f"[document.querySelector('.clip audio').currentTime, {line}]")
    assert now[1] == pytest.approx(100 * now[0] / 4, abs=5)


def test_notes_of_a_feature_are_heard(page, tmp_path):
    tables = feature_tables(POINTS[-1:])
    sheet = tables["stimuli/clips"]
    tables["stimuli/clips"] = sheet.assign(kind="notes", instrument="piano", pitch=60)
    told = {"lowest": 60, "keys": 1, "seconds": 0.5, "rate": 24000}
    sound = np.sin(np.arange(12000) / 10).astype(np.float32)
    piano = pd.DataFrame({"instrument": ["piano"], "mp3": [mp3_bytes(sound, 24000)]})
    tables["notes/rendered/clips"] = piano.assign(**told)
    looked_at(page, written(tmp_path, tables), "view=features&feature=2")
    page.run("document.querySelector('.clip button.play').click()")
    page.wait("document.querySelector('.clip [role=status]').textContent === 'heard: piano'")
    page.wait("document.querySelector('.clip .playhead:not([hidden])')?.style.left")
    assert not page.problems


def test_a_dead_feature_says_so(page, sounds):
    looked_at(page, sounds, "view=features&point=trained&feature=4")
    assert "dead" in page.run("document.querySelector('.feature-page').textContent")


def test_texts_are_coloured_by_activation(page, texts):
    looked_at(page, texts, "view=features&feature=7")
    assert page.run("document.querySelectorAll('.clip .tokens').length") == 5
    tokens = "[...document.querySelector('.tokens').children]"
    shares = page.run(f"{tokens}.map(n => parseFloat(n.style.getPropertyValue('--share')) || 0)")
    levels = page.run(f"{tokens}.map(n => parseInt(n.title))")
    assert len(shares) == 50
    order = sorted(range(50), key=lambda place: levels[place])
    assert [shares[place] for place in order] == sorted(shares)
    assert not page.problems


@pytest.mark.parametrize(
    ("fixture", "state"),
    [
        ("sounds", "view=features&feature=1"),
        ("texts", "view=features&feature=1"),
        ("songs", "view=songs&song=song0"),
        ("songs", "view=songs&song=song2"),
        ("songs", "view=songbloom"),
        ("songs", "view=scores"),
    ],
)
def test_hostile_titles_labels_and_tokens_stay_text(page, fixture, state, request):
    looked_at(page, request.getfixturevalue(fixture), state)
    page.run("[...document.querySelectorAll('main [aria-controls]')].forEach(b => b.click())")
    page.settle()
    assert HOSTILE in page.run("document.querySelector('main').textContent")
    assert page.run("document.querySelectorAll('main img, main script').length") == 0
    assert page.run("document.title") != "1"
    assert not page.problems


# SongBloom


def test_samples_of_a_run_are_heard(page, songs):
    looked_at(page, songs, "view=songbloom")
    page.run("document.querySelector('.sample button.play').click()")
    page.wait("document.querySelector('.sample audio').currentTime > 0.1")
    assert page.run("document.querySelector('.sample audio').duration") == pytest.approx(2, abs=0.1)


def test_losses_are_drawn_for_training_and_held_out(page, songs):
    looked_at(page, songs, "view=songbloom")
    assert page.run("document.querySelectorAll('.chart circle').length") >= 5
    choose = "(s => { s.value = 'lm'; s.dispatchEvent(new Event('change')); })"
    page.run(f"{choose}(document.querySelector('.panel select'))")
    page.wait("document.querySelector('svg.chart').getAttribute('aria-label').includes('sketch')")


def test_scores_stand_beside_the_papers(page, songs):
    looked_at(page, songs, "view=scores")
    text = page.run("document.querySelector('svg.chart').textContent")
    assert "SongBloom-full (paper)" in text
    assert "toy" in text
    assert page.run("document.querySelectorAll('svg.chart circle').length") == 11


# for everybody


@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_nothing_is_wider_than_the_page(page, songs, sounds, texts, scheme, width):
    page.size(width, 844)
    page.media("light" if scheme == "print" else scheme, "print" if scheme == "print" else "")
    for folder, state in (
        (songs, "view=songs&t=3.2"), (songs, "view=songbloom"), (songs, "view=scores"),
        (sounds, "view=features"), (texts, "view=features&feature=7"),
    ):  # fmt: skip
        looked_at(page, folder, state)
        assert page.run(TOO_WIDE) == [], state
        assert page.run(FAINT) == [], state
        assert not page.problems


@pytest.mark.parametrize("state", ["view=features", "view=songs", "view=songbloom", "view=scores"])
def test_a_narrowed_window_is_filled_anew(page, songs, sounds, state):
    looked_at(page, sounds if state == "view=features" else songs, state)
    page.size(390, 844)
    page.settle()
    assert page.run(TOO_WIDE) == []


def test_pictures_are_saved_whole(page, songs, sounds):
    for folder, state in ((songs, "view=songs"), (sounds, "view=features&feature=1")):
        looked_at(page, folder, state)
        page.run(
            "window.files = [];"
            "URL.createObjectURL = (blob) => { files.push(blob); return 'blob:x'; };"
            "HTMLAnchorElement.prototype.click = function () {};"
            "[...document.querySelectorAll('.panel .actions button')]"
            ".filter(b => b.textContent === 'SVG').forEach(b => b.click())"
        )
        text = page.run("files[0].text()")
        assert text.startswith("<svg")
        assert text.count("<path") >= 2
        assert "var(" not in text


LOOKED_AT = [
    ("songs", "view=songs&song=song0"),
    ("songs", "view=songbloom"),
    ("songs", "view=scores"),
    ("sounds", "view=features&feature=1"),
    ("texts", "view=features&feature=7"),
]


@pytest.mark.parametrize(("fixture", "state"), LOOKED_AT)
def test_what_can_be_used_or_seen_has_a_name(page, fixture, state, request):
    looked_at(page, request.getfixturevalue(fixture), state)
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in NAMED
    ]
    assert len(found) > 5
    assert [role for role, name in found if not name.strip()] == []


@pytest.mark.parametrize(("fixture", "state"), LOOKED_AT)
def test_a_table_is_behind_each_picture(page, fixture, state, request):
    looked_at(page, request.getfixturevalue(fixture), state)
    panels = "[...document.querySelectorAll('.panel')].filter(p => p.checkVisibility())"
    page.run(f"{panels}.forEach(p => p.querySelector('[aria-controls]').click())")
    page.settle()
    rows = page.run(f"{panels}.map(p => p.querySelectorAll('.behind .row').length)")
    assert rows
    assert min(rows) > 0


@pytest.mark.parametrize(("fixture", "state"), LOOKED_AT)
def test_the_keyboard_alone_reaches_everything(page, fixture, state, request):
    looked_at(page, request.getfixturevalue(fixture), state)
    everything = (
        "[...document.querySelectorAll('a[href], button, select, input, [tabindex=\"0\"]')]"
        ".filter(n => n.checkVisibility() && !n.disabled && !n.closest('.rows'))"  # drawn anew
    )
    page.run(f"window.wanted = new Set({everything})")
    for _ in range(page.run("wanted.size") + 4):
        page.key("Tab")
        page.run("wanted.delete(document.activeElement)")
    assert page.run("[...wanted].map(n => n.outerHTML.slice(0, 80))") == []


def test_rows_of_a_long_list_are_one_stop_and_the_arrows_go_on(page, sounds):
    looked_at(page, sounds, "view=features&point=trained&feature=1")
    row = "document.activeElement.dataset.row"
    page.run("document.querySelector('.feature-list .row[tabindex=\"0\"]').focus()")
    for _ in range(30):  # beyond what is drawn at first
        page.key("ArrowDown")
        page.settle()
    assert page.run(row) == "30"
    page.key("Enter")
    page.wait("document.querySelector('.feature-page h3').textContent.startsWith('Feature 31')")
    assert page.run(row) == "30"
    page.key("Tab")
    assert page.run("document.activeElement.closest('.feature-list')") is None
