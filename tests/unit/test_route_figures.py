"""Routes in figures: every route has a style of its own and a name that can be read."""

import numpy as np
import pandas as pd
import pytest

from rasen.figures.helix import draw_routes
from rasen.figures.perplexity import draw_perplexity
from rasen.figures.routes import point_label, route_label, route_styles

ROUTES = {
    "linear": "straight line",
    "gradient": "gradient-corrected",
    "step": "real training run",
    "linear+seed1": "straight line from seed1",
    "gradient+zeros": "gradient-corrected from zeros",
    "gradient+eta0.1000": r"gradient-corrected, $\eta$ = 0.1",
    "gradient+zeros+eta0.1000+steps010": r"gradient-corrected from zeros, $\eta$ = 0.1, 10 steps",
}


def test_routes_are_named_in_words_and_look_different():
    styles = route_styles(ROUTES)
    assert {route: style.label for route, style in styles.items()} == ROUTES
    looks = [style[:3] for style in styles.values()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("draw", [draw_perplexity, draw_routes])
def test_figures_show_every_route(draw, tmp_path):
    alphas = [0, 0.5, 1]
    table = pd.DataFrame(
        [(route, a, layer) for route in ROUTES for a in alphas for layer in (1, 2)],
        columns=["route", "position", "layer"],
    )
    table["perplexity"] = table["helicality"] = np.linspace(1, 3, len(table))
    table = table.assign(
        model="nano", features="network", low=0.9, high=3.1, verdict="smooth path", random_mean=0.4,
        random_95=0.5, smooth_50=0.6, smooth_95=0.7,
    )  # fmt: skip
    if draw is draw_routes:
        draw(table, "nano", tmp_path / "figure.svg")
    else:
        guessers = pd.DataFrame({"guesser": ["uniform"], "perplexity": 4.0, "low": 4, "high": 4})
        draw(table.query("layer == 1"), guessers, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert ("uniform" in text) == (draw is draw_perplexity)
    for label in ("gradient-corrected from zeros", "straight line from seed1"):
        assert label in text
    assert ">nano: " in text, "every picture names its model"


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("untrained", "untrained"),
        ("step-000064", "step 64"),
        ("linear-0.900", r"$\alpha$ = 0.9"),
        ("linear+seed1-0.500", r"seed1, $\alpha$ = 0.5"),
        ("gradient-0.250", r"gradient-corrected, $\alpha$ = 0.25"),
        ("gradient+eta0.1000-0.250", r"gradient-corrected, $\eta$ = 0.1, $\alpha$ = 0.25"),
    ],
)
def test_points_are_named_in_words(point, words):
    assert point_label(point) == words


def test_one_route_is_named_as_among_others():
    assert [route_label(route) for route in ROUTES] == list(ROUTES.values())
