"""SynTheory's five click sounds and its three levels of reverberation, at any sample rate.

A click is a sum of damped modes, and the reverberation a sum of echoes: both have no noise in them
that would differ from one sample rate to another.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rasen.seeds import generator
from rasen.stimuli.synth import frequency

LONGEST = 0.5  # seconds of a click
ACCENT, BEAT = 100, 75  # MIDI velocities: the first beat of a bar, and the others
REVERB = (0.0, 63 / 127, 1.0)  # per level, the energy of echoes in that of the sound
ECHOES, DECAY = 1000, 1.0  # their number, and the seconds in which they fall by 60 dB


class Click(NamedTuple):
    """A sound of a metronome.

    program, drums: of a SoundFont, whether it is a drum kit
    accent, beat: MIDI pitches: the first beat of a bar, and the others
    scale: the lowest mode of the built-in sound, as a multiple of the pitch's frequency
    modes: frequencies of the modes, as multiples of the lowest;  half_life: of that one, in seconds
    fall: the frequency begins higher by this share and falls
    """

    program: int
    drums: bool
    accent: int
    beat: int
    scale: float
    modes: tuple[float, ...]
    half_life: float
    fall: float = 0.0


BAR = (1.0, 2.76, 5.40)  # modes of a free bar
MEMBRANE = (1.0, 1.59, 2.14, 2.30, 2.65, 2.92)  # of a round membrane
DENSE = (1.0, *np.sort(generator(0, "sticks").uniform(1, 4, 30)).tolist())  # next to noise
# Programs and pitches are SynTheory's.
# ASSUME: the built-in sounds only resemble those of its SoundFont, which are recordings.
CLICKS = {
    "sticks": Click(0, True, 37, 31, 30.0, DENSE, 0.008),
    "woodblock_dark": Click(115, False, 37, 31, 10.0, BAR, 0.015),
    "woodblock_light": Click(115, False, 52, 48, 10.0, BAR, 0.010),
    "taiko": Click(116, False, 52, 48, 0.6, MEMBRANE, 0.060, 0.3),
    "synth_drum": Click(118, False, 52, 48, 1.0, (1.0,), 0.050, 3.0),
}


def velocity(accent: bool) -> int:
    """How hard a click is struck."""
    return ACCENT if accent else BEAT


@lru_cache(maxsize=32)
def click(name: str, accent: bool, rate: int) -> np.ndarray:
    """A click [samples] float32; quieter by the square of its velocity, as in General MIDI."""
    sound = CLICKS[name]
    time = np.arange(round(LONGEST * rate)) / rate
    lowest = sound.scale * frequency(sound.accent if accent else sound.beat)
    # The frequency falls like the sound; this is the integral of 1 + fall * 2 ** (-t / half_life).
    fallen = sound.half_life / np.log(2) * (1 - 2 ** (-time / sound.half_life))
    turns = lowest * (time + sound.fall * fallen)
    wave = np.zeros_like(time)
    for ratio in sound.modes:
        if ratio * lowest * (1 + sound.fall) < rate / 2:
            wave += np.sin(2 * np.pi * ratio * turns) * 2 ** (-ratio * time / sound.half_life)
    wave *= 1 - time / LONGEST
    loudness = (velocity(accent) / 127) ** 2
    return (loudness * wave / np.abs(wave).max()).astype(np.float32)


def reverberant(sound: np.ndarray, level: int, rate: int) -> np.ndarray:
    """A sound [samples] in a room: level 0 (dry), 1 or 2; what rings on after its end is cut.

    ASSUME: SynTheory sends these shares of the sound to its synthesiser's own reverberation.
    """
    if level == 0:
        return sound
    from scipy.signal import fftconvolve

    wet = fftconvolve(sound, _echoes(rate))[: len(sound)]
    return (sound + REVERB[level] * wet).astype(np.float32)


@lru_cache(maxsize=4)
def _echoes(rate):
    """Echoes at random times that die away, with the energy 1 [samples]."""
    rng = generator(0, "reverberation")
    time, sign = rng.uniform(0.005, DECAY, ECHOES), rng.choice([-1, 1], ECHOES)
    response = np.zeros(round(DECAY * rate) + 1, dtype=np.float32)
    np.add.at(response, np.round(time * rate).astype(int), sign * 10 ** (-3 * time / DECAY))
    return response / np.linalg.norm(response)
