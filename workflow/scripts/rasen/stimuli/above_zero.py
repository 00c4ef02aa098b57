"""A check that the settings of every kind of stimuli share."""

from typing import Any

from rasen.errors import raise_all


def require_above_zero(settings: Any, *names: str) -> None:
    """Refuse the settings when a number of these names is zero or less."""
    raise_all(
        f"stimuli: {name} is {getattr(settings, name)}; give a number above 0"
        for name in names
        if getattr(settings, name) <= 0
    )
