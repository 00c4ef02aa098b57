"""The pages of docs/: their links lead somewhere, and numbers of the demo are the demo's."""

import importlib.util
import re

import demo_tables
import pytest
from study import ROOT

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "config/README.md"])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        words = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        yield words.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for link in LINK.findall(text):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in set(anchors(target)), f"{page.name}: {link}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text()
    for page in PAGES:
        inside = page.is_relative_to(ROOT / "docs")
        name = page.relative_to(ROOT / "docs").as_posix() if inside else ""
        if name and name != "README.md":
            assert f"({name})" in index, name


def test_numbers_of_the_demo_are_those_of_its_tables():
    tables = demo_tables.read(demo_tables.HERE)
    page = " ".join((ROOT / "docs/method.md").read_text().split())
    mean = tables["perplexity"].query("group == 'mean'").drop_duplicates("point")
    at = mean.set_index("point")["perplexity"].map("{:.1f}".format)
    own, other = at["linear-0.500"], at["linear+seed1-0.500"]
    assert f"is {own} from the run's own, and {other} from another draw" in page
    assert f"(perplexity {at['trained']} to {at['gradient-1.000']})" in page
    probes = tables["probes"].query("features == 'selected' and point == 'untrained'")
    value = probes.query("task == 'pitch_class'").drop_duplicates("split").set_index("split")
    random, grouped = (demo_tables.short(value.loc[s, "value"]) for s in ("random", "grouped"))
    assert f"class at {random} by a random split, and {grouped} (chance" in page
    shares = tables["feature_seeds"]["share"]
    assert "share a quarter of their features on nano" in page
    assert 0.2 < shares.mean() < 0.3


MEASURED = {  # figures of docs/cost.md: where they were measured
    "benchmarks/README.md": [
        "5 min 21 s", "9.6 CPU minutes", "2.2 GB", "2.4 GB", "159", "97 M", "0.71", "4.8", "2.0 GB",
        "2.3 to 2.5 CPU minutes", "59 to 63 s", "17,094", "77 s", "8.9", "11.9",
    ],
    "config/README.md": ["271 s", "4.9 GB", "981 million", "7.9 GB", "4.5 GB", "60 MB"],
    "README.md": ["three and a half minutes"],
}  # fmt: skip


@pytest.mark.parametrize(("page", "figures"), MEASURED.items())
def test_costs_are_those_that_were_measured(page, figures):
    cost = (ROOT / "docs/cost.md").read_text().replace("million", "M").replace("CPU s |", "s |")
    source = " ".join((ROOT / page).read_text().split())
    assert [figure for figure in figures if figure not in source] == []
    assert [f for f in figures if f.replace("million", "M") not in cost] == []


def test_the_gallery_shows_its_files_and_is_small():
    shown = set(re.findall(r"\(gallery/([\w-]+\.svg)\)", (ROOT / "docs/gallery.md").read_text()))
    files = {path.name: path.stat().st_size for path in (ROOT / "docs/gallery").glob("*.svg")}
    assert shown == set(files) == set(gallery_maker().FIGURES)
    assert sum(files.values()) < 1_000_000


def test_pictures_of_the_gallery_are_shortened_and_no_more():
    svg = '<path d="M 12.345678 9 L 1.5 -0.00049"/><text>0.925 of 12.345</text>'
    short = '<path d="M 12.35 9 L 1.5 -0.00"/><text>0.925 of 12.345</text>'
    assert gallery_maker().shortened(svg) == short


def gallery_maker():
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs/gallery/make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
