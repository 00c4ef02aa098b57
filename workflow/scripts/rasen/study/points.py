"""Points and routes: names for sets of weights, and their order along a route.

    untrained, trained      the two ends (alpha 0 and 1 of a linear route are these very points)
    linear-0.900            (1 - alpha) theta_init + alpha theta_trained
    gradient-0.250          linear-0.250 moved against the gradient of the loss
    step-000500             a checkpoint of a real training run

A control start (another theta_init) has a name of its own, which its points carry:
`untrained+zeros`, `linear+zeros-0.900`. So do other step sizes and numbers of steps than the first
ones of the config: `gradient+eta0.1000-0.250`, `gradient+zeros+eta0.1000+steps010-0.250`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd

from rasen.errors import RasenError

COLUMNS = ["model", "route", "point", "position"]
_NAME = re.compile(
    r"(?P<kind>untrained|trained|linear|gradient|step)"
    r"(\+(?!steps\d)(?P<start>[a-z][a-z0-9]*))?"
    r"(\+eta(?P<eta>\d+\.\d{4}))?"
    r"(\+steps(?P<steps>\d{3,}))?"
    r"(-(?P<position>\d\.\d{3}|\d{6,}))?"
)
_POSITIONS = {  # which kinds carry a position, and what it looks like
    "untrained": None,
    "trained": None,
    "linear": r"\d\.\d{3}",
    "gradient": r"\d\.\d{3}",
    "step": r"\d{6,}",
}


@dataclass(frozen=True)
class Point:
    """One set of weights, as its name tells it.

    start:       "" for the model's own theta_init, else the name of a control
    eta, steps:  of a gradient point, None for the first ones of the config
    """

    kind: str
    start: str = ""
    position: float | None = None
    eta: float | None = None
    steps: int | None = None

    @property
    def name(self) -> str:
        if self.kind == "step":
            return f"step-{self.position:06.0f}"
        variant = self.kind + _variant(self.start, self.eta, self.steps)
        return variant if self.position is None else f"{variant}-{self.position:.3f}"


def parse_point(name: str) -> Point:
    """The Point that a name stands for."""
    match = _NAME.fullmatch(name)
    if match:
        kind, start, position = match["kind"], match["start"] or "", match["position"]
        shape = _POSITIONS[kind]
        fits = position is None if shape is None else position and re.fullmatch(shape, position)
        corrected = match["eta"] or match["steps"]
        if (
            fits
            and not (start and kind in ("trained", "step"))
            and not (corrected and kind != "gradient")
        ):
            return Point(
                kind,
                start,
                None if position is None else float(position),
                None if match["eta"] is None else float(match["eta"]),
                None if match["steps"] is None else int(match["steps"]),
            )
    raise RasenError(f"{name}: not a point; points look like trained, linear-0.900, step-000500")


def linear_point(alpha: float, start: str = "") -> Point:
    """The point at `alpha` on the straight line; its ends have names of their own."""
    alpha = _thousandths(alpha)
    if alpha == 0:
        return Point("untrained", start)
    if alpha == 1:
        return Point("trained")
    return Point("linear", start, alpha)


def gradient_point(
    alpha: float, start: str = "", eta: float | None = None, steps: int | None = None
) -> Point:
    """The gradient-corrected point at `alpha` (the ends are corrected too).

    Lines from all starts end at the trained model, so its correction has one name.
    """
    alpha = _thousandths(alpha)
    return Point("gradient", "" if alpha == 1 else start, alpha, eta, steps)


def _variant(start="", eta=None, steps=None):
    """What distinguishes a route from the plain one of its kind: "+zeros+eta0.1000+steps010"."""
    if eta is not None and not (round(eta, 4) > 0 and abs(eta - round(eta, 4)) < 1e-9):
        raise RasenError(f"routes.gradient.eta: {eta}: give at most four decimals")
    return (
        (f"+{start}" if start else "")
        + (f"+eta{eta:.4f}" if eta is not None else "")
        + (f"+steps{steps:03d}" if steps is not None else "")
    )


def _thousandths(alpha):
    """Point names have three decimals, so two alphas closer than that would share one."""
    if not 0 <= alpha <= 1 or abs(alpha * 1000 - round(alpha * 1000)) > 1e-6:
        raise RasenError(f"alpha {alpha}: must lie in [0, 1] and have at most three decimals")
    return round(alpha * 1000) / 1000


def routes_of_model(
    model: str,
    routes: Mapping[str, Any],
    checkpoints: Mapping[str, Any] | None = None,
    controls: Iterable[str] = (),
) -> pd.DataFrame:
    """Every (model, route, point, position) of one model, in the order in which all is shown.

    Routes: linear, those of its controls, gradient and its variants, the real training run; the
    points of each from the untrained end on.

    routes:       {"linear": {"whole": [...], "near": [...]}, "gradient": {"positions": [...],
                  "eta": one or several, "steps": one or several, "controls": from them too?}}
    checkpoints:  {"steps": [...], "untrained": step or None, "trained": step or None}, or None
    controls:     names of further starts; each has the whole-route grid, and where
                  `routes.gradient.controls` says so the gradient routes
    """
    whole = routes["linear"]["whole"]
    rows = [("linear", linear_point(a), a) for a in _union(whole, routes["linear"]["near"])]
    for start in controls:
        rows += [(f"linear+{start}", linear_point(a, start), a) for a in _union(whole)]
    for which in _gradient_routes(routes["gradient"], controls):
        positions = _union(routes["gradient"]["positions"])
        rows += [("gradient" + _variant(*which), gradient_point(a, *which), a) for a in positions]
    if checkpoints:
        at = {step: Point("step", "", step) for step in checkpoints["steps"]}
        for end in ("untrained", "trained"):  # the run's ends may be the model's very ends
            if checkpoints.get(end) is not None:
                at[checkpoints[end]] = Point(end)
        rows += [("step", at[step], step) for step in sorted(at)]
    table = [(model, route, point.name, float(position)) for route, point, position in rows]
    return pd.DataFrame(table, columns=COLUMNS)


def _gradient_routes(settings, controls):
    """(start, eta, steps) of every gradient route; the first eta and the first steps are None."""
    starts = ["", *(controls if settings.get("controls") else ())]
    etas, counts = (one_or_more(settings.get(key, 1)) for key in ("eta", "steps"))
    grid = product(starts, [None, *etas[1:]], [None, *counts[1:]])
    return grid if settings["positions"] else ()


def one_or_more(value: Any) -> list[Any]:
    """A setting that may be one value or a list of them, as a list."""
    return list(value) if isinstance(value, list) else [value]


def _union(*grids):
    """Sorted union of lists of alphas, equal to three decimals counted once."""
    return sorted({_thousandths(alpha) for grid in grids for alpha in grid})
