"""Routes in figures: a colour, marker and label for each, and the axis of training steps."""

import re
from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple

from matplotlib.axes import Axes

from rasen.figures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

ALPHA = r"$\alpha$ (0: untrained, 1: trained)"


class RouteStyle(NamedTuple):
    """How one route is drawn."""

    colour: str
    marker: str
    line: str
    label: str


LINEAR = RouteStyle(BLUE, "o", "-", "straight line")
GRADIENT = RouteStyle(ORANGE, "s", "--", "gradient-corrected")
TRAINING_RUN = RouteStyle(BLACK, "o", "-", "real training run")
OTHERS = [(SKY, "^", ":"), (RED, "v", ":"), (GREEN, "D", ":"), (PURPLE, "P", ":")]


def route_styles(routes: Iterable[str]) -> dict[str, RouteStyle]:
    """{route: its style}, in order. Routes other than these three are variants of the first two:
    from another start (`linear+zeros`), with other steps (`gradient+eta0.1000+steps010`)."""
    known = {"linear": LINEAR, "gradient": GRADIENT, "step": TRAINING_RUN}
    others = cycle(OTHERS)
    styles = {}
    for route in routes:
        if route in known:
            styles[route] = known[route]
        else:
            styles[route] = RouteStyle(*next(others), _label(route))
    return styles


def _label(route):
    """The name of a variant of a route in words: "gradient-corrected from zeros, 10 steps"."""
    kind, *parts = route.split("+")
    label = GRADIENT.label if kind == "gradient" else LINEAR.label
    for part in parts:
        if eta := re.fullmatch(r"eta(\d+\.\d+)", part):
            label += rf", $\eta$ = {float(eta[1]):g}"
        elif steps := re.fullmatch(r"steps(\d+)", part):
            label += f", {int(steps[1])} steps"
        else:
            label += f" from {part}"
    return label


def route_label(route: str) -> str:
    """The name of a route in words."""
    return route_styles([route])[route].label


def point_label(point: str) -> str:
    """A point in words: "step 64", "alpha = 0.9", "seed1, alpha = 0.9", "untrained"."""
    if step := re.fullmatch(r"step-(\d+)", point):
        return f"step {int(step[1]):,}"
    if found := re.fullmatch(r"((?:linear|gradient).*?)-(\d+\.\d+)", point):
        alpha = rf"$\alpha$ = {float(found[2]):g}"
        if found[1] == "linear":
            return alpha
        return f"{_label(found[1]).removeprefix(LINEAR.label + ' from ')}, {alpha}"
    return point


def set_step_axis(axis: Axes, last_step: float) -> None:
    """A logarithmic x axis of training steps, on which step 0 is one decade before step 1."""
    axis.set_xscale("symlog", linthresh=1, linscale=0.5)
    decades = [0, *(10**k for k in range(9) if 10**k <= last_step)]
    axis.set_xticks(decades, [f"{step:,}" for step in decades])
    axis.set(xlabel="training step", xlim=(-0.1, last_step * 1.4))
    axis.minorticks_off()
