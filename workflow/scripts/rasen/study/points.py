"""Points and routes: names for sets of weights, and their order along a route.

    untrained, trained      the two ends (alpha 0 and 1 of a linear route are these very points)
    linear-0.900            (1 - alpha) theta_init + alpha theta_trained
    gradient-0.250          linear-0.250 moved against the gradient of the loss
    step-000500             a checkpoint of a real training run

A control start (another theta_init) has a name of its own, which its points carry:
`untrained+zeros`, `linear+zeros-0.900`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rasen.errors import RasenError

COLUMNS = ["model", "route", "point", "position"]
_NAME = re.compile(
    r"(?P<kind>untrained|trained|linear|gradient|step)"
    r"(\+(?P<start>[a-z][a-z0-9]*))?"
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
    """One set of weights, as its name tells it. `start` is "" for the model's own theta_init."""

    kind: str
    start: str = ""
    position: float | None = None

    @property
    def name(self) -> str:
        start = f"+{self.start}" if self.start else ""
        if self.kind == "step":
            return f"step-{self.position:06.0f}"
        if self.kind in ("linear", "gradient"):
            return f"{self.kind}{start}-{self.position:.3f}"
        return self.kind + start


def parse_point(name: str) -> Point:
    """The Point that a name stands for."""
    match = _NAME.fullmatch(name)
    if match:
        kind, start, position = match["kind"], match["start"] or "", match["position"]
        shape = _POSITIONS[kind]
        fits = position is None if shape is None else position and re.fullmatch(shape, position)
        if fits and not (start and kind in ("trained", "step")):
            return Point(kind, start, None if position is None else float(position))
    raise RasenError(f"{name}: not a point; points look like trained, linear-0.900, step-000500")


def linear_point(alpha: float, start: str = "") -> Point:
    """The point at `alpha` on the straight line; its ends have names of their own."""
    alpha = _thousandths(alpha)
    if alpha == 0:
        return Point("untrained", start)
    if alpha == 1:
        return Point("trained")
    return Point("linear", start, alpha)


def gradient_point(alpha: float) -> Point:
    """The gradient-corrected point at `alpha` (the ends are corrected too)."""
    return Point("gradient", "", _thousandths(alpha))


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
    """Every (model, route, point, position) of one model, in the order of the route.

    routes:       {"linear": {"whole": [...], "near": [...]}, "gradient": {"positions": [...]}}
    checkpoints:  {"steps": [...], "untrained": step or None, "trained": step or None}, or None
    controls:     names of further starts; each has the whole-route grid
    """
    whole = routes["linear"]["whole"]
    rows = [("linear", linear_point(a), a) for a in _union(whole, routes["linear"]["near"])]
    for start in controls:
        rows += [(f"linear+{start}", linear_point(a, start), a) for a in _union(whole)]
    rows += [("gradient", gradient_point(a), a) for a in _union(routes["gradient"]["positions"])]
    if checkpoints:
        at = {step: Point("step", "", step) for step in checkpoints["steps"]}
        for end in ("untrained", "trained"):  # the run's ends may be the model's very ends
            if checkpoints.get(end) is not None:
                at[checkpoints[end]] = Point(end)
        rows += [("step", at[step], step) for step in sorted(at)]
    table = [(model, route, point.name, float(position)) for route, point, position in rows]
    return pd.DataFrame(table, columns=COLUMNS)


def _union(*grids):
    """Sorted union of lists of alphas, equal to three decimals counted once."""
    return sorted({_thousandths(alpha) for grid in grids for alpha in grid})
