"""Musical keys and what a wrong one is worth [MIREX, mir_eval.key.weighted_score]."""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rasen.errors import raise_all

TONICS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
NAME = re.compile(r"(?P<tonic>[A-Ga-g])(?P<shift>[#b]?)[ :_-]*(?P<mode>.*)")
MODES = {"": "major", "m": "minor", "maj": "major", "major": "major", "min": "minor",
         "minor": "minor"}  # fmt: skip


def parse(name: str) -> tuple[int, str] | None:
    """Pitch class and mode of "C# minor", "Db:maj", "Am"; None where the name is no key."""
    found = NAME.fullmatch(name.strip())
    if not found or found["mode"].lower() not in MODES:
        return None
    shift = {"#": 1, "b": -1, "": 0}[found["shift"]]
    return (TONICS[found["tonic"].lower()] + shift) % 12, MODES[found["mode"].lower()]


def worth(truth: tuple[int, str], answer: tuple[int, str]) -> float:
    """1 for the key, .5 for the fifth above it, .3 for its relative, .2 for its parallel key."""
    (true_tonic, true_mode), (tonic, mode) = truth, answer
    above = (tonic - true_tonic) % 12
    if mode == true_mode:
        return {0: 1.0, 7: 0.5}.get(above, 0.0)
    relative = 9 if true_mode == "major" else 3
    return {relative: 0.3, 0: 0.2}.get(above, 0.0)


def table(classes: Sequence[str]) -> np.ndarray:
    """The worth of every answer to every truth: [classes, classes]."""
    return _table(tuple(classes))


@lru_cache(maxsize=16)
def _table(classes):
    raise_all(
        f"'{name}' is not a key; write it as 'C# minor'" for name in classes if parse(name) is None
    )
    parsed = [parse(name) for name in classes]
    return np.array([[worth(truth, answer) for answer in parsed] for truth in parsed])
