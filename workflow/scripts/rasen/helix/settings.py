"""How helices are fitted and tested."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rasen.errors import raise_all
from rasen.helix.fitting import Omega
from rasen.helix.radius import RADIUS_RULES

METHODS = ("exact", "trials")


@dataclass(frozen=True)
class HelixSettings:
    """How helices are fitted and tested; the section `helix` of the config.

    period: keys per turn, a number or (shortest, longest);  method: "exact", or both with "trials"
    bootstrap: resamples of the instruments for the interval of the pooled fit
    draws: at most, of the tests that need no fit: for the octave and for the order of the keys
    null_draws: at most, of the nulls in which every draw is fitted: shuffled keys and smooth paths
    """

    components: int = 3
    period: float | list[float] = field(default_factory=lambda: [4.0, 12.0])
    radius: Literal["cone", "positive", "cylinder"] = "cone"
    standardise: bool = True
    method: Literal["exact", "trials"] = "exact"
    bootstrap: int = 200
    draws: int = 20_000
    null_draws: int = 499

    def __post_init__(self) -> None:
        mistakes = []
        if self.components < 3:
            mistakes.append(f"components: {self.components}; give 3 or more, one per dimension")
        if self.radius not in RADIUS_RULES:
            mistakes.append(f"radius: '{self.radius}' is not one of {', '.join(RADIUS_RULES)}")
        if self.method not in METHODS:
            mistakes.append(f"method: '{self.method}' is not one of {', '.join(METHODS)}")
        periods = list(self.period) if isinstance(self.period, list | tuple) else [self.period] * 2
        if len(periods) != 2 or not 2 <= periods[0] <= periods[1]:
            mistakes.append(
                f"period: {self.period}; give keys per turn, 2 or more, or [shortest, longest]"
            )
        for name in ("bootstrap", "draws", "null_draws"):
            if getattr(self, name) < 1:
                mistakes.append(f"{name}: {getattr(self, name)}; give 1 or more")
        raise_all(f"helix.{mistake}" for mistake in mistakes)

    @property
    def omega(self) -> Omega:
        """The period as radians per key, or their (lowest, highest)."""
        if not isinstance(self.period, list | tuple):
            return 2 * np.pi / self.period
        shortest, longest = self.period
        return 2 * np.pi / longest, 2 * np.pi / shortest
