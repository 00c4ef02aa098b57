"""Additive synthesis: tones of a few timbres, at any sample rate."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

PARTIALS = 24
RELEASE = 0.02  # seconds
VIBRATO_RATE = 5.5  # Hz


class Stroke(NamedTuple):
    """Notes that begin and end together: MIDI pitches, length, MIDI velocity."""

    pitches: tuple[int, ...]
    seconds: float
    velocity: int = 64  # as SynTheory


class Timbre(NamedTuple):
    """The difference between two tones of one pitch."""

    rolloff: float  # partial k has the weight exp(-rolloff * (k - 1)): small is bright
    even: float = 1.0  # weight of the even partials: 0 is hollow, like a clarinet
    attack: float = 0.01  # seconds from silence to full
    half_life: float = np.inf  # seconds in which partial k halves k times
    vibrato: float = 0.0  # semitones


TIMBRES = {
    "piano": Timbre(rolloff=0.5, half_life=0.8),
    "guitar": Timbre(rolloff=0.35, half_life=0.4, attack=0.004),
    "organ": Timbre(rolloff=0.6, attack=0.03),
    "clarinet": Timbre(rolloff=0.3, even=0.15, attack=0.04),
    "flute": Timbre(rolloff=1.4, attack=0.06, vibrato=0.15),
    "violin": Timbre(rolloff=0.25, attack=0.08, vibrato=0.2),
    "brass": Timbre(rolloff=0.15, attack=0.05),
    "bell": Timbre(rolloff=0.9, even=0.4, attack=0.002, half_life=1.5),
}


def frequency(pitch: float) -> float:
    """Hertz of a MIDI pitch, in equal temperament with A4 = 69 = 440 Hz."""
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def play(strokes: Sequence[Stroke], timbre: Timbre, rate: int) -> np.ndarray:
    """Strokes one after another: float32 [samples]. Every note has its peak at 1."""
    return np.concatenate(
        [
            np.sum([_tone(pitch, stroke.seconds, rate, timbre) for pitch in stroke.pitches], axis=0)
            for stroke in strokes
        ]
    )


def tone(pitch: float, seconds: float, rate: int, timbre: Timbre) -> np.ndarray:
    """One tone of a MIDI pitch (fractions allowed): float32 [samples], its peak at 1.

    Partials above half the sample rate are left out. A tone is a polynomial in the rotating
    vector z of its fundamental, since z**k is partial k: one complex exponential and a Horner
    scheme make all partials.
    """
    time = np.arange(round(seconds * rate)) / rate
    highest = frequency(pitch + timbre.vibrato)
    k = np.arange(1, min(PARTIALS, int(rate / 2 / highest)) + 1)
    weights = np.exp(-timbre.rolloff * (k - 1)) * np.where(k % 2 == 0, timbre.even, 1.0)

    angle = 2 * np.pi * frequency(pitch) * time
    if timbre.vibrato:
        # The frequency swings by this share of itself, the angle by its integral.
        swing = np.log(2) * timbre.vibrato / 12 * frequency(pitch) / VIBRATO_RATE
        angle += swing * np.sin(2 * np.pi * VIBRATO_RATE * time)
    z = np.exp(1j * angle - np.log(2) / timbre.half_life * time)
    wave = np.zeros_like(z)
    for weight in weights[::-1]:
        wave += weight
        wave *= z

    rise = np.minimum(time / timbre.attack, 1.0)
    fall = np.minimum((seconds - time) / RELEASE, 1.0)
    shaped = wave.imag * rise * fall
    return (shaped / max(np.abs(shaped).max(initial=0.0), 1e-9)).astype(np.float32)


# Clips of a set share most of their tones; a thread's few clips need far fewer than these 8 MB.
_tone = lru_cache(maxsize=64)(tone)
