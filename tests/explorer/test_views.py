"""Every view in a browser: it opens, withstands hostile texts, answers, and is for everybody."""

import json
import re
import shutil

import pytest

VIEWS = ("overview", "helix", "probes")
STUDIES = {
    "small": VIEWS,
    "empty": ("overview",),
    "one_point": VIEWS,
    "text": ("overview", "probes"),
    "hostile": VIEWS,
}


def tabs(page):
    return page.run("[...document.querySelectorAll('nav a')].map(a => a.dataset.view)")


def looked_at(page, folder, view):
    """A view opened and at rest; nothing was said by the console, nothing left the folder."""
    page.open(folder, f"view={view}")
    page.settle()
    assert page.run(f"Boolean(document.querySelector('[data-view={view}].view'))")
    return page


@pytest.mark.parametrize("study", STUDIES)
def test_every_view_opens_silently_and_asks_for_nothing_outside_its_folder(study, page, request):
    folder = request.getfixturevalue(study)
    page.open(folder)
    assert tabs(page) == list(STUDIES[study])
    for view in STUDIES[study]:
        looked_at(page, folder, view)
        assert not page.problems, view
        inside = folder.as_uri() + "/"
        assert all(url.startswith((inside, "data:", "blob:")) for url in page.requests)


def test_the_policy_of_the_page_forbids_connections(page, small):
    page.open(small)
    refused = """new Promise(done => {
        addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
        fetch("https://example.org").catch(() => {});
    })"""
    assert page.run(refused) == "connect-src"


def test_what_was_not_measured_has_no_tab_and_its_command_is_told(page, text):
    page.open(text)
    assert "helix" not in tabs(page)
    absent = page.run("document.querySelector('.absent').textContent")
    assert "snakemake helix" in absent
    assert "snakemake probes" not in absent


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_texts_stay_texts(page, hostile, view):
    looked_at(page, hostile, view)
    page.run(
        "[...document.querySelectorAll('main button')]"
        ".filter(b => /Table|Config/.test(b.textContent)).forEach(b => b.click())"
    )
    page.settle()
    assert page.run("window.hacked") is None
    assert page.run("document.querySelectorAll('main img, main script').length") == 0
    assert "onerror" in page.run("document.querySelector('main').textContent")
    if view == "helix":
        assert "onerror" in page.run("document.querySelector('.verdict').textContent")


def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "explorer")


@pytest.mark.parametrize(
    ("name", "view"),
    [("contract", ""), ("index", ""), ("helix_fits/0", "helix"), ("probes/0", "probes")],
)
def test_a_missing_data_file_is_told(page, small, tmp_path, name, view):
    folder = copy(small, tmp_path)
    (folder / f"data/{name}.js").unlink()
    page.open(folder, f"view={view}" if view else "")
    told = page.wait("document.querySelector('.told')?.textContent")
    assert f"data/{name}.js is missing" in told
    assert "snakemake explorer" in told


def damage(path, change):
    """Change the object that a data file puts."""
    head, number, text = re.fullmatch(
        r'(rasen\.put\("\w+"),(\d+),(.*)\);\n', path.read_text(), re.S
    ).groups()
    data = json.loads(text)
    change(data)
    path.write_text(f"{head},{number},{json.dumps(data)});\n")


DAMAGE = {
    "column “verdict” is lacking": lambda data: data["columns"].pop("verdict"),
    "size “rows” is lacking": lambda data: data.update(sizes={}),
    "values, not 99": lambda data: data.update(sizes={"rows": 99}),
    "column “low” is damaged": lambda data: data["columns"]["low"].update(data="?!"),
    "column “low” is not a float": lambda data: data["columns"].update(low={"texts": []}),
}


@pytest.mark.parametrize("words", DAMAGE)
def test_data_that_break_the_contract_are_told(page, small, tmp_path, words):
    folder = copy(small, tmp_path)
    damage(folder / "data/helix_fits/0.js", DAMAGE[words])
    page.open(folder, "view=helix")
    told = page.wait("document.querySelector('.told')?.textContent")
    assert "data/helix_fits/0.js" in told
    assert words in told


def test_another_view_still_opens_beside_a_missing_file(page, small, tmp_path):
    folder = copy(small, tmp_path)
    (folder / "data/probes/0.js").unlink()
    page.open(folder, "view=probes")
    page.wait("document.querySelector('.told')")
    page.run("document.querySelector('nav a[data-view=helix]').click()")
    page.wait("document.querySelector('[data-view=helix].view canvas')")


# --- pictures that answer


def canvas(page):
    page.settle()
    return page.run("document.querySelector('canvas').toDataURL()")


def test_sliders_move_the_notes_and_the_address(page, small):
    looked_at(page, small, "helix")
    before = canvas(page)
    page.run("document.querySelector('.sliders input').focus()")
    page.key("ArrowLeft")
    page.wait("location.hash.includes('point=linear-0.750')")
    after = canvas(page)
    assert before != after
    assert "linear-0.750" in page.run("document.querySelector('.sliders output').textContent")
    page.run("document.querySelectorAll('.sliders input')[1].focus()")
    page.key("ArrowLeft")
    page.wait("location.hash.includes('layer=1')")
    assert canvas(page) not in (before, after)
    assert not page.problems


def test_a_link_opens_what_was_looked_at(page, small):
    looked_at(page, small, "helix")
    page.run("rasen.state.set({ point: 'untrained', layer: 0, instrument: 'instrument 2' })")
    page.wait("location.hash.includes('point=untrained')")
    seen, state = canvas(page), page.run("location.hash.slice(1)")
    page.open(small, state)
    assert canvas(page) == seen


def test_the_helix_is_turned_by_dragging_and_by_keys(page, small):
    looked_at(page, small, "helix")
    before = canvas(page)
    box = page.run(
        "(box => [box.left + box.width / 2, box.top + box.height / 2])"
        "(document.querySelector('canvas').getBoundingClientRect())"
    )
    page.drag(box, [box[0] + 120, box[1] + 20])
    dragged = canvas(page)
    assert dragged != before
    page.run("document.querySelector('canvas').focus()")
    page.key("ArrowRight")
    assert canvas(page) not in (before, dragged)
    page.key("j", "j")
    assert page.wait("document.querySelector('.tip:not([hidden])')?.textContent") == "C3"


def test_the_walk_goes_to_the_end_of_the_route(page, small):
    page.open(small, "view=helix&point=linear-0.500")
    page.run("document.querySelector('button.main').click()")
    page.wait("location.hash.includes('point=trained')")
    page.wait("document.querySelector('button.main').textContent === 'Walk the route'")


def test_a_cell_of_the_map_is_a_way_to_its_point_and_layer(page, small):
    looked_at(page, small, "helix")
    place = page.run(
        "(box => [box.left + 31, box.bottom - 40])"
        "(document.querySelector('.map svg').getBoundingClientRect())"
    )
    held = {"button": "left", "clickCount": 1}
    page.mouse("mousePressed", *place, **held)
    page.mouse("mouseReleased", *place, **held)
    page.wait("location.hash.includes('point=untrained') && location.hash.includes('layer=0')")


def test_numbers_of_the_page_are_those_of_the_table(page, small):
    """Coordinates are stored in steps of 0.002."""
    import made

    notes = made.study_tables()["helix_notes"]
    page.open(small, "view=helix&layer=1&point=linear-0.500&instrument=instrument 1")
    page.settle()
    found = page.run(
        "rasen.data.load('helix_notes', {route: 'linear', layer: 1}).then(part => "
        "[...part.columns.y].slice((2 * 5 + 2) * 36, (2 * 5 + 2) * 36 + 36))"
    )
    chosen = notes[
        (notes["layer"] == 1)
        & (notes["point"] == "linear-0.500")
        & (notes["instrument"] == "instrument 1")
    ]
    assert found == pytest.approx(chosen["y"].tolist(), abs=0.0011)


# --- for everybody


@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_nothing_is_wider_than_the_page_and_all_text_can_be_read(page, small, scheme, width):
    page.size(width, 900)
    page.media("light" if scheme == "print" else scheme, "print" if scheme == "print" else "")
    for view in VIEWS:
        looked_at(page, small, view)
        assert page.run(TOO_WIDE) == [], view
        assert page.run(FAINT) == [], view
        assert not page.problems


def test_a_narrowed_window_is_filled_anew(page, small):
    for view in VIEWS:
        page.size(1366, 900)
        looked_at(page, small, view)
        page.size(390, 844)
        page.settle()
        assert page.run(TOO_WIDE) == [], view


# What reaches beyond the window and cannot be scrolled to.
TOO_WIDE = """[...document.querySelectorAll('body *')]
  .filter(n => n.getBoundingClientRect().right > innerWidth + 1)
  .filter(n => !n.closest('.scroll, nav, .skip'))
  .map(n => n.outerHTML.slice(0, 90))"""

# Texts with a contrast below 4.5 with what is behind them.
FAINT = r"""(() => {
  const rgb = (text) => {
    const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
    const context = canvas.getContext("2d");
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/, 0\)|transparent/.test(colour)) return rgb(colour);
    }
    return rgb("white");
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const words = walker.currentNode.data.trim().slice(0, 30);
    if (!words || node.closest("script, style, noscript, title, .skip, .unseen")) continue;
    if (!node.checkVisibility() || node.closest("g[aria-label=text]")) continue;
    const style = getComputedStyle(node);
    const ink = rgb(node.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(node))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${words}: ${contrast.toFixed(2)}`);
  }
  return faint;
})()"""

NAMED = {
    "button", "link", "combobox", "slider", "image", "img", "searchbox", "table", "figure",
    "region", "navigation",
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_what_can_be_used_or_seen_has_a_name(page, small, view):
    looked_at(page, small, view)
    page.run("[...document.querySelectorAll('[aria-controls]')].forEach(b => b.click())")
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in NAMED
    ]
    assert len(found) > 5
    assert [role for role, name in found if not name.strip()] == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_table_is_behind_each_picture(page, small, view):
    looked_at(page, small, view)
    panels = "[...document.querySelectorAll('.panel')].filter(p => p.checkVisibility())"
    count = page.run(f"{panels}.length")
    assert count == {"overview": 1, "helix": 3, "probes": 3}[view]
    page.run(f"{panels}.forEach(p => p.querySelector('[aria-controls]').click())")
    page.settle()
    rows = page.run(f"{panels}.map(p => p.querySelectorAll('.row').length)")
    assert min(rows) > 0


@pytest.mark.parametrize("view", VIEWS)
def test_the_keyboard_alone_reaches_everything_and_shows_where_it_is(page, small, view):
    looked_at(page, small, view)
    everything = (
        "[...document.querySelectorAll('a[href], button, select, input, canvas, [tabindex=\"0\"]')]"
        ".filter(n => n.checkVisibility() && !n.disabled)"
    )
    page.run(f"window.wanted = new Set({everything})")
    unseen = []
    for _ in range(page.run("wanted.size") + 2):
        page.key("Tab")
        state = page.run(
            "(n => { wanted.delete(n); return [n.outerHTML.slice(0, 80), "
            "getComputedStyle(n).outlineStyle, n.className] })(document.activeElement)"
        )
        if state[1] == "none" and "BODY" not in state[0].upper():
            unseen.append(state[0])
    assert page.run("[...wanted].map(n => n.outerHTML.slice(0, 80))") == []
    assert unseen == []


def test_tabs_and_tables_work_by_keys(page, small):
    page.open(small)
    page.run("document.querySelector('nav a[data-view=probes]').focus()")
    page.key("Enter")
    page.wait("document.querySelector('[data-view=probes].view .chart svg')")
    page.run("document.querySelector('.panel [aria-controls]').focus()")
    page.key("Enter")
    page.wait("document.querySelector('.panel .row')")
    page.run("document.querySelector('.panel .head button').focus()")
    page.key("Enter")
    page.wait(
        "document.querySelector('.panel [aria-sort=ascending], .panel [aria-sort=descending]')"
    )


# --- what can be taken away


def saved(page, act):
    """{name: text} of the files that a script saves."""
    page.run(
        "window.files = {};"
        "URL.createObjectURL = (blob) => { window.blob = blob; return 'blob:x'; };"
        "HTMLAnchorElement.prototype.click = function () { files[this.download] = blob; };"
    )
    page.run(act)
    return page.run(
        "Promise.all(Object.entries(files).map(async ([n, b]) => [n, await b.text()]))"
        ".then(Object.fromEntries)"
    )


@pytest.mark.parametrize("view", VIEWS)
def test_pictures_are_saved_as_svg_and_numbers_as_csv(page, small, view):
    looked_at(page, small, view)
    files = saved(
        page,
        "[...document.querySelectorAll('.panel .actions button')]"
        ".filter(b => /SVG|CSV/.test(b.textContent)).forEach(b => b.click())",
    )
    assert len(files) == {"overview": 2, "helix": 6, "probes": 6}[view]
    for name, text in files.items():
        if name.endswith(".svg"):
            parsed = f"new DOMParser().parseFromString({json.dumps(text)}, 'image/svg+xml')"
            assert page.run(f"{parsed}.querySelector('parsererror')?.textContent") is None
            assert len(text) > 1000
            assert "var(" not in text
        else:
            lines = text.split("\r\n")
            assert len(lines) > 2
            assert "," in lines[0]


def test_csv_is_quoted_and_runs_nothing_in_a_spreadsheet(page, small):
    page.open(small)
    table = {"columns": ["a", "b"], "rows": [['say "hi", you', "=1+1"], [None, -2.5]]}
    text = page.run(f"rasen.csv({json.dumps(table)})")
    assert text == 'a,b\r\n"say ""hi"", you",\'=1+1\r\n,-2.5\r\n'


def test_the_config_of_a_view_is_shown(page, small):
    looked_at(page, small, "helix")
    page.run("document.querySelector('.view-head button').click()")
    text = page.wait("document.querySelector('.config pre')?.textContent")
    assert "method: exact" in text
    assert text.startswith("helix:")


def test_notes_are_heard_and_decode_to_their_length(page, sounding):
    """Of three keys only the middle one sounds: it is found where it was put."""
    looked_at(page, sounding, "helix")
    shape = page.run(
        """rasen.notes.sound("notes", "instrument 1").then(({ buffer }) => {
            const third = buffer.length / 3;
            const part = (k) => buffer.getChannelData(0).slice(k * third, (k + 1) * third);
            const loud = [0, 1, 2].map((k) => part(k).reduce((sum, v) => sum + v * v, 0));
            return [buffer.duration, ...loud];
        })"""
    )
    assert shape[0] == pytest.approx(1.5, abs=0.06)
    assert shape[2] > 50 * max(shape[1], shape[3])
    said = page.run("rasen.notes.play('notes', 'instrument 1', 49)")
    assert said == "heard: instrument 1"
    page.run("document.querySelector('canvas').focus()")
    page.key("j", "j")
    told = page.wait("[...document.querySelectorAll('.panel [role=status]')].at(-1).textContent")
    assert told == "C3: heard: instrument 1."
    assert not page.problems


def test_where_there_is_no_sound_it_is_said(page, small):
    looked_at(page, small, "helix")
    page.run("document.querySelector('canvas').focus()")
    page.key("j", "j")
    page.wait("document.querySelector('.panel').textContent.includes('no sounds of notes')")


def test_a_table_is_sorted_with_what_is_missing_last_and_searched_by_words(page, small):
    page.open(small)
    page.run("""window.table = rasen.table([
        { name: "number", values: [3, null, -1, 10, NaN, 3] },
        { name: "text", values: ["b", "a b", null, "Zed", "a", "b"] },
    ], { rows: 6, name: "test", search: true });
    document.querySelector("main").replaceChildren(table.node)""")
    order = "[...document.querySelectorAll('.row')].map(row => Number(row.dataset.row))"
    page.run("table.sort(0, false)")
    assert page.run(order) == [2, 0, 5, 3, 1, 4]
    page.run("table.sort(0, true)")
    assert page.run(order) == [3, 0, 5, 2, 1, 4]
    page.run("table.sort(1, false)")
    assert page.run(order) == [3, 4, 1, 0, 5, 2]
    page.run("table.search('B a')")
    assert page.run(order) == [1]


def test_a_long_table_keeps_only_what_is_in_sight(page, small):
    page.open(small)
    page.run("""document.querySelector("main").replaceChildren(rasen.table(
        [{ name: "n", values: (row) => row }], { rows: 30000, name: "long" }).node)""")
    page.settle()
    assert page.run("document.querySelectorAll('.row').length") < 60
    page.run("document.querySelector('.scroll').scrollTop = 1e9")
    page.wait("[...document.querySelectorAll('.row')].at(-1).textContent === '29999'")
