"""The report: every figure has a title in words, and its caption stands beneath it."""

import re
from pathlib import Path

import pytest
import snakemake.report.html_reporter as reporter
from study import ROOT
from write_report import with_captions

from rasen.study.targets import title_of_sae_figure

TEMPLATE = Path(reporter.__file__).parent / "template"
RULES = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
REPORTED = re.findall(r"report\(\n(.*?)\n        \),", RULES, re.S)


def test_captions_are_put_at_the_end_of_the_page_once():
    page = with_captions("<html><body>text with </body> in it</body></html>")
    assert page.count("<figcaption") == page.count("showCaptions() {") - 1 == 0
    assert page.endswith("</script>\n</body></html>")


def test_snakemake_shows_figures_as_the_script_expects():
    """Another Snakemake may show them otherwise: then CAPTIONS has to follow."""
    assert "var results = {{results}};" in (TEMPLATE / "index.html.jinja2").read_text()
    shown = (TEMPLATE / "components/content.js").read_text()
    assert re.search(r"\"img\",\s*\{ src: this\.props\.app\.state\.contentPath \}", shown)
    manager = "".join(path.read_text() for path in (TEMPLATE / "components").glob("*.js"))
    assert "contentPath: entry.data_uri" in manager
    assert "result.caption" in manager or "getResult().caption" in manager


@pytest.mark.parametrize("text", REPORTED)
def test_every_figure_has_a_caption_and_a_title_in_words(text):
    caption = ROOT / "rules" / re.search(r'caption="([^"]+)"', text)[1]
    words = caption.read_text()
    assert len(words) > 80
    assert "{model}" not in text or "snakemake.wildcards.model" in words, "it names the model"
    title = re.search(r'"figure": ("[^"]+"|targets)', text)[1]
    assert title == "targets" or title[1].isupper()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("labels", "Features that a label names"),
        ("flow-layer-12", "Features that go on, die and are born, layer 12"),
    ],
)
def test_figures_of_saes_have_titles(name, title):
    assert title_of_sae_figure(name) == title


def test_all_figures_of_the_rules_are_looked_at():
    assert len(REPORTED) == RULES.count("=report(") > 10
