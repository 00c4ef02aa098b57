"""Short clips of synthetic music: a melody over chords, different for every seed."""

import numpy as np
import pandas as pd

from rasen.seeds import generator
from rasen.stimuli.synth import TIMBRES, tone

MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
LOWEST = 48  # C3
DEGREES = 22  # scale steps a melody walks over: three octaves
BEATS = (0.24, 0.32, 0.4, 0.5)  # seconds
LENGTHS = (1, 1, 2)  # beats of a melody note
BAR = 4  # beats a chord lasts
STEPS = (-2, -1, -1, 1, 1, 2)  # scale steps from one note to the next


def clips(settings):
    """One row a clip of a seeded set; longer sets begin with the clips of shorter ones."""
    count = settings["clips"]
    return pd.DataFrame(
        {
            "clip": [f"melody-{settings['seed']}-{index:06d}" for index in range(count)],
            "kind": "melodies",
            "seed": settings["seed"],
            "index": range(count),
            "seconds": float(settings["seconds"]),
        }
    )


def sound(row, rate):
    """The melody of one row [time]."""
    return melody(generator(row.seed, "melody", row.index), row.seconds, rate)


def melody(rng: np.random.Generator, seconds: float, rate: int) -> np.ndarray:
    """A clip drawn from a generator: float32 [samples].

    A key, a tempo and two timbres are drawn once. The melody walks up and down the scale; half
    of the clips double it at the octave and half put a triad under every bar.
    """
    scale = LOWEST + rng.integers(12) + (MAJOR + 12 * np.arange(4)[:, None]).ravel()
    beat = rng.choice(BEATS)
    lead, backing = rng.choice(list(TIMBRES), size=2)
    doubled, chords = rng.random(2) < 0.5

    clip = np.zeros(round(seconds * rate), dtype=np.float32)

    def play(pitch: float, start: float, length: float, timbre: str, loudness: float) -> None:
        first = round(start * rate)
        part = clip[first : first + round(length * rate)]
        part += loudness * tone(pitch, length, rate, TIMBRES[timbre])[: len(part)]

    start, degree = 0.0, rng.integers(DEGREES)
    while start < seconds:
        length = beat * rng.choice(LENGTHS)
        play(scale[degree], start, length, lead, 0.3)
        if doubled:
            play(scale[degree] + 12, start, length, lead, 0.15)
        degree = np.clip(degree + rng.choice(STEPS), 0, DEGREES - 1)
        start += length

    for start in np.arange(0, seconds, BAR * beat) if chords else ():
        root = rng.integers(len(MAJOR))
        for third in (0, 2, 4):
            play(scale[root + third], start, BAR * beat, backing, 0.1)
    return clip
