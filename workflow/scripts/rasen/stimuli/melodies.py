"""Short clips of synthetic music: a melody over chords, different for every seed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rasen.seeds import generator
from rasen.stimuli.above_zero import require_above_zero
from rasen.stimuli.synth import TIMBRES, tone

MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
LOWEST = 48  # C3
DEGREES = 22  # scale steps in the range of a melody: three octaves
STEPS = (-7, -7, -1, -1, 1, 1, 7, 7)  # scale steps from note to note: neighbours and octaves
BEATS = (0.16, 0.2, 0.24, 0.32)  # seconds
LENGTHS = (1, 1, 2)  # beats of a melody note
BAR = 4  # beats a chord lasts
OCTAVE, TRIAD = 0.5, 0.3  # loudness of a doubling note and of a chord's notes, melody at 1
PEAKS = (0.2, 1.0)  # of a whole clip


@dataclass(frozen=True)
class MelodySettings:
    """A seeded set of melodies: number of clips, length of each in seconds, seed of the set."""

    clips: int = 40
    seconds: float = 4
    seed: int = 1

    def __post_init__(self) -> None:
        require_above_zero(self, "clips", "seconds")


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
        }
    )


def melody_sound(row: Any, rate: int) -> np.ndarray:
    """The melody of one row of `melody_clips` [time]."""
    return melody(generator(row.seed, "melody", row.index), row.seconds, rate)


def melody(rng: np.random.Generator, seconds: float, rate: int) -> np.ndarray:
    """A clip drawn from a generator: float32 [samples].

    Its key, tempo, peak and two timbres are drawn once. The melody is a random walk on the scale,
    in steps to neighbouring notes and leaps of an octave. Half of the clips double it an octave
    higher, and a quarter have a triad under every bar.
    """
    scale = LOWEST + rng.integers(12) + (MAJOR + 12 * np.arange(4)[:, None]).ravel()
    beat = rng.choice(BEATS)
    lead, backing = (TIMBRES[name] for name in rng.choice(list(TIMBRES), size=2))
    peak = rng.uniform(*PEAKS)
    doubled, chords = rng.random(2) < (0.5, 0.25)
    clip = np.zeros(round(seconds * rate), dtype=np.float32)

    start, degree = 0.0, rng.integers(DEGREES)
    while start < seconds:
        length = beat * rng.choice(LENGTHS)
        note = tone(scale[degree], length, rate, lead)
        if doubled:
            note += OCTAVE * tone(scale[degree] + 12, length, rate, lead)
        add(clip, round(start * rate), note)
        start += length
        step = rng.choice(STEPS)
        degree += step if 0 <= degree + step < DEGREES else -step

    for start in np.arange(0, seconds, BAR * beat) if chords else ():
        root = rng.integers(len(MAJOR))
        for third in (0, 2, 4):
            note = tone(scale[root + third], BAR * beat, rate, backing)
            add(clip, round(start * rate), TRIAD * note)
    return clip * np.float32(peak / np.abs(clip).max())


def add(clip: np.ndarray, start: int, note: np.ndarray) -> None:
    """Mix a note [samples] into a clip [samples], in place; it is cut off at the clip's end."""
    target = clip[start : start + len(note)]
    target += note[: len(target)]
