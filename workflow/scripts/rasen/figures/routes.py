"""Routes in figures: a colour, marker and label for each, and the axis of training steps."""

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


LINEAR = RouteStyle(BLUE, "o", "-", "linear")
GRADIENT = RouteStyle(ORANGE, "s", "--", "gradient-corrected")
TRAINING_RUN = RouteStyle(BLACK, "o", "-", "real training run")
CONTROLS = [(SKY, "^", ":"), (RED, "v", ":"), (GREEN, "D", ":"), (PURPLE, "P", ":")]


def route_styles(routes: Iterable[str]) -> dict[str, RouteStyle]:
    """{route: its style}, in order; routes other than these three are linear from another start."""
    known = {"linear": LINEAR, "gradient": GRADIENT, "step": TRAINING_RUN}
    controls = cycle(CONTROLS)
    styles = {}
    for route in routes:
        if route in known:
            styles[route] = known[route]
        else:
            label = f"linear from {route.removeprefix('linear+')}"
            styles[route] = RouteStyle(*next(controls), label)
    return styles


def set_step_axis(axis: Axes, last_step: float) -> None:
    """A logarithmic x axis of training steps, on which step 0 is one decade before step 1."""
    axis.set_xscale("symlog", linthresh=1, linscale=0.5)
    decades = [0, *(10**k for k in range(9) if 10**k <= last_step)]
    axis.set_xticks(decades, [f"{step:,}" for step in decades])
    axis.set(xlabel="training step", xlim=(-0.1, last_step * 1.4))
    axis.minorticks_off()
