"""The README's numbers are those of the demo's tables."""

from pathlib import Path

import demo_tables
import pytest

ROOT = Path(__file__).parents[2]
README = " ".join((ROOT / "README.md").read_text().split())


@pytest.mark.parametrize("part", ["perplexities", "helices", "probes", "autoencoders"])
def test_every_number_of_the_readme_is_in_the_demos_tables(part):
    tables = demo_tables.read(demo_tables.HERE)
    absent = [line for line in getattr(demo_tables, part)(tables) if line not in README]
    assert not absent, "the demo gives other numbers than the README; take these:\n" + "\n".join(
        absent
    )


def test_the_readme_would_not_agree_with_another_demo():
    tables = demo_tables.read(demo_tables.HERE)
    tables["perplexity"]["perplexity"] *= 1.01
    tables["helix"]["helicality"] += 0.01
    tables["feature_flow"]["matched"] += 1
    for part in (demo_tables.perplexities, demo_tables.helices, demo_tables.autoencoders):
        assert any(line not in README for line in part(tables)), part.__name__
