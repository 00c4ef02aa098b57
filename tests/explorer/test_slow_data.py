"""What is shown is what was asked for last, however late data arrive; odd addresses are told."""

import pytest
from test_media_views import songs, sounds  # noqa: F401  (fixtures)

DELAY = """(() => {
  const load = rasen.data.load;
  rasen.data.load = (name, of) => load(name, of).then((found) =>
    new Promise((done) => setTimeout(() => done(found), %s)));
})()"""


def opened(page, folder, state):
    page.open(folder, state)
    page.settle()
    return page


def late(page, when, milliseconds=300):
    """From now on, data arrive late where a condition on `name` and `of` holds."""
    page.run(DELAY % f"{when} ? {milliseconds} : 0")


def test_features_are_those_of_the_point_that_is_chosen(page, sounds):  # noqa: F811
    opened(page, sounds, "view=features&point=trained")
    late(page, "name === 'features'")
    page.run("rasen.state.set({point: 'untrained', feature: null})")
    page.run("document.querySelectorAll('.feature-list .row')[1].click()")  # still of `trained`
    page.wait("document.querySelector('.feature-page').textContent.includes('At the point after')")
    page.settle()
    text = page.run("document.querySelector('.feature-page').textContent")
    assert "At the point before" not in text  # it is the first
    assert page.run("document.querySelectorAll('.feature-list [aria-selected=true]').length") == 1
    assert not page.problems


def test_a_feature_that_is_asked_for_while_the_list_is_read(page, sounds):  # noqa: F811
    page.open(sounds, "view=overview")
    late(page, "name === 'features'")
    page.run("location.hash = '#view=features'")
    page.run("setTimeout(() => (location.hash = '#view=features&feature=2'), 8)")
    page.wait("document.querySelector('.feature-page h3')?.textContent.startsWith('Feature 2')")
    assert page.run("document.querySelector('.told:not([hidden])')") is None
    assert not page.problems


def test_the_maps_mark_where_the_sliders_stand(page, small):
    page.open(small, "view=overview")
    page.run(
        "(() => { const charts = rasen.charts; rasen.charts = () => new Promise("
        "(done) => setTimeout(() => done(charts()), 300)); })()"
    )
    page.run("location.hash = '#view=helix&route=linear&point=trained&layer=1'")
    page.wait("document.querySelector('.sliders output')?.textContent.startsWith('trained')")
    page.run("rasen.state.set({point: 'untrained', layer: 2})")
    readout = "document.querySelector('.readout')?.textContent"
    page.wait(f"{readout}?.includes('untrained, layer 2')")
    page.settle()
    page.settle()
    assert "untrained, layer 2" in page.run(readout)


def test_the_readout_is_empty_where_no_cell_is_chosen(page, small):
    opened(page, small, "view=helix&route=linear&point=trained&layer=1")
    page.run("rasen.state.set({route: 'baseline'})")
    page.settle()
    assert page.run("document.querySelector('.readout').textContent") == ""


def test_what_is_wrong_with_a_song_is_not_told_of_the_next(page, songs):  # noqa: F811
    opened(page, songs, "view=songs&song=song1")
    words = page.run("document.querySelector('.lyrics').textContent")
    page.run(
        "(() => { const load = rasen.data.load;"
        " rasen.data.load = (name, of) => name === 'song_lyrics' && of.song === 'song0'"
        " ? new Promise((_, fail) => setTimeout(() => fail(new Error('too late')), 400))"
        " : load(name, of); })()"
    )
    page.run("rasen.state.set({song: 'song0'})")
    page.settle()
    page.run("rasen.state.set({song: 'song1'})")
    page.settle()
    page.settle()
    assert "too late" not in page.run("document.querySelector('main').textContent")
    assert page.run("document.querySelector('.lyrics').textContent") == words


def test_the_walk_ends_when_the_view_is_left(page, small):
    opened(page, small, "view=helix&route=linear&point=untrained")
    page.run("document.querySelector('.sliders button').click()")
    page.run("rasen.state.go('probes')")
    page.settle()
    before = page.run("location.hash")
    page.run("new Promise((done) => setTimeout(done, 1500))")
    assert page.run("location.hash") == before


@pytest.mark.parametrize("keys", ["jjj", "JJ", "kjk"])
def test_notes_may_be_asked_for_faster_than_they_begin(page, sounding, keys):
    opened(page, sounding, "view=helix")
    page.run("document.querySelector('.stage canvas').focus()")
    for key in keys:
        page.key(key)
    page.settle()
    assert not page.problems


@pytest.mark.parametrize(
    "state",
    [
        "view=helix&turn=Infinity&zoom=1e9&tilt=x",
        "view=helix&zoom=-3",
        "view=helix&layer=99&point=nowhere&route=none&instrument=none",
        "view=probes&task=none&point=constructor",
        "view=nothing",
        "view=__proto__",
        f"view=helix&point={'x' * 5000}",
    ],
)
def test_addresses_that_name_nothing(page, small, state):
    opened(page, small, state)
    assert page.run("Boolean(document.querySelector('.view h2'))")
    assert page.run("document.querySelector('.told[role=alert]:not([hidden])')") is None
    assert not page.problems


@pytest.mark.parametrize(
    "state",
    [
        "view=features&feature=99999",
        "view=features&feature=NaN",
        "view=features&show=constructor&column=zzz",
        "view=songs&song=nope",
        "view=songbloom&loss=toString",
        "view=scores&score=constructor",
    ],
)
def test_addresses_of_media_that_name_nothing(page, songs, sounds, state):  # noqa: F811
    opened(page, sounds if "features" in state else songs, state)
    assert not page.problems
    if "feature=" in state:
        told = page.run("document.querySelector('.feature-page .told').textContent")
        assert "names a feature that is not here" in told
    else:
        blank = "[...document.querySelectorAll('select')].filter(n => n.selectedIndex < 0).length"
        assert page.run(blank) == 0


def test_a_feature_is_found_by_its_number(page, sounds):  # noqa: F811
    opened(page, sounds, "view=features&feature=37")
    chosen = "document.querySelector('.feature-list [aria-selected=true]')"
    assert page.run(f"{chosen}.textContent").startswith("37")
    box = page.run(
        f"(() => {{ const row = {chosen}.getBoundingClientRect(),"
        " list = document.querySelector('.feature-list .scroll').getBoundingClientRect();"
        " return row.top >= list.top && row.bottom <= list.bottom; })()"
    )
    assert box  # it was scrolled to
    page.run(
        "(() => { const field = document.querySelector('.feature-list input');"
        " field.value = '37'; field.dispatchEvent(new Event('input')); })()"
    )
    page.settle()
    assert page.run("document.querySelectorAll('.feature-list .row').length") == 1


def test_saved_pictures_have_their_key_and_a_ground(page, small):
    page.media("dark")
    opened(page, small, "view=probes")
    page.run(
        "window.files = []; URL.createObjectURL = (blob) => { files.push(blob); return 'blob:x'; };"
        "HTMLAnchorElement.prototype.click = function () {};"
        "document.querySelector('.panel .actions button').click()"
    )
    text = page.run("files[0].text()")
    assert "chance: " in text
    dark = page.run("getComputedStyle(document.documentElement).backgroundColor")
    assert dark in text.split("</rect>")[0].split("/>")[0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "0.5 s"), (59.7, "1 min 0 s"), (119.7, "2 min 0 s"), (3599.7, "1 h 0 min"),
        (7199, "2 h 0 min"), (457, "7 min 37 s"),
    ],
)  # fmt: skip
def test_times_in_words(page, small, seconds, words):
    page.open(small)
    assert page.run(f"rasen.words.time({seconds})") == words
