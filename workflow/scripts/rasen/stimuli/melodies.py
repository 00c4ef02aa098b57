"""Short clips of synthetic music in which notes are answered an octave away."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.seeds import generator
from rasen.stimuli.above_zero import require_above_zero
from rasen.stimuli.synth import TIMBRES, tone

LOWEST, HIGHEST = 48, 95  # C3 to B6
BEATS = (0.06, 0.08, 0.1)  # seconds that a note lasts
ANSWERS = 6  # to every note
OCTAVE = 12
PEAKS = (0.2, 1.0)  # of a whole clip


@dataclass(frozen=True)
class MelodySettings:
    """A seeded set of melodies: number of clips, length of each in seconds, seed of the set.

    interval: semitones between a note and its answers; 11 instead of 12 is music without an octave
    """

    clips: int = 40
    seconds: float = 4
    seed: int = 1
    interval: int = OCTAVE

    def __post_init__(self) -> None:
        require_above_zero(self, "clips", "seconds")
        require_interval(self.interval, "stimuli: interval")


def require_interval(interval: int, name: str) -> None:
    """Refuse intervals at which some note would have no answer."""
    most = (HIGHEST - LOWEST + 1) // 2
    if not 1 <= interval <= most:
        raise RasenError(f"{name}: {interval}; give 1 to {most} semitones")


def melody_clips(settings: MelodySettings) -> pd.DataFrame:
    """One row per clip; longer sets of a seed begin with the clips of shorter ones."""
    indices = range(settings.clips)
    return pd.DataFrame(
        {
            "clip": [f"melody-{settings.seed}-{index:06d}" for index in indices],
            "kind": "melodies",
            "seed": settings.seed,
            "index": indices,
            "seconds": float(settings.seconds),
            "interval": settings.interval,
        }
    )


def melody_sound(row: Any, rate: int) -> np.ndarray:
    """The melody of one row of `melody_clips` [time]."""
    return melody(generator(row.seed, "melody", row.index), row.seconds, rate, row.interval)


def melody(
    rng: np.random.Generator, seconds: float, rate: int, interval: int = OCTAVE
) -> np.ndarray:
    """A clip drawn from a generator: float32 [samples].

    Its tempo, timbre and peak are drawn once. Any note of the range is followed by answers in
    random octaves (multiples of the interval away), then comes another note. What follows a note
    can be told from its pitch class, and from nothing else.
    """
    beat = rng.choice(BEATS)
    timbre = TIMBRES[rng.choice(list(TIMBRES))]
    peak = rng.uniform(*PEAKS)
    clip = np.zeros(round(seconds * rate), dtype=np.float32)
    start = 0.0
    while start < seconds:
        first = LOWEST + rng.integers(HIGHEST - LOWEST + 1)
        lowest = LOWEST + (first - LOWEST) % interval
        alike = np.arange(lowest, HIGHEST + 1, interval)
        for pitch in (first, *rng.choice(alike, size=ANSWERS)):
            add(clip, round(start * rate), tone(pitch, beat, rate, timbre))
            start += beat
    return clip * np.float32(peak / np.abs(clip).max())


def add(clip: np.ndarray, start: int, note: np.ndarray) -> None:
    """Mix a note [samples] into a clip [samples], in place; it is cut off at the clip's end."""
    target = clip[start : start + len(note)]
    target += note[: len(target)]
