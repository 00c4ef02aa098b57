"""The fixture songs: shipped vocals over an accompaniment made from a seed.

Every section label has its own chords, timbres and density, so that equal sections sound alike and
others differ, as the structure stage needs.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rasen.io.audio import read_mono
from rasen.seeds import generator
from rasen.stimuli.melodies import LOWEST, add
from rasen.stimuli.synth import TIMBRES, tone

RATE = 44100
MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
BARS, BEATS = 4, 4  # of a section, of a bar
VOCAL_SDR = 3.0  # dB: the vocals' energy over the accompaniment's
PEAK = 0.9  # of the mix


class Style(NamedTuple):
    """How the sections of one label are played."""

    chords: tuple[int, ...]  # one scale degree per bar
    pad: str  # timbre of the held chords
    lead: str  # timbre of the broken chords
    notes: int  # of the broken chords, per beat
    drums: str  # one letter per half beat: k(ick), s(nare), h(at), . is none
    level: float  # root mean square of a section, relative to the other labels


STYLES = {
    "intro": Style((0, 0, 3, 3), "flute", "bell", 1, "........", 0.5),
    "verse": Style((0, 5, 3, 4), "clarinet", "guitar", 2, "k...s...", 0.7),
    "chorus": Style((3, 4, 2, 5), "brass", "violin", 4, "khshkhsh", 1.0),
    "bridge": Style((1, 6, 1, 4), "organ", "piano", 3, "k.h.k.h.", 0.8),
    "inst": Style((3, 0, 3, 0), "violin", "piano", 4, "k.h.s.h.", 0.9),
    "outro": Style((0, 3, 0, 3), "organ", "bell", 1, "....h...", 0.4),
}
BASS, PAD, LEAD, DRUMS = 0.6, 0.25, 0.35, 0.5  # loudness
WIDTH = 0.4  # how much louder the broken chords are on one side
ARPEGGIO = (0, 2, 4, 7, 4, 2)  # scale steps above the root of the notes of a broken chord


def fixture_song(
    folder: Path | str, name: str, seed: int
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Truth, vocals and accompaniment of a fixture song in `resources/songs`.

    The truth is {song, language, seconds, lines, sections}, with times.
    """
    folder = Path(folder)
    truth = json.loads((folder / "truth" / f"{name}.json").read_text(encoding="utf-8"))
    voice = read_mono(folder / "vocals" / f"{name}.ogg", RATE)
    return truth, *add_accompaniment(voice, truth["sections"], seed)


def add_accompaniment(
    voice: np.ndarray, sections: Sequence[Mapping[str, Any]], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Vocals and accompaniment, float32 [2, time] at 44.1 kHz, of a voice [time] at that rate.

    The mix is their sum.  sections: {start, end, label} each
    """
    vocals = np.stack([voice, voice])
    band = accompaniment(sections, seed)
    band = np.pad(band, ((0, 0), (0, max(0, len(voice) - band.shape[1]))))[:, : len(voice)]
    band *= np.sqrt((vocals**2).sum() / (band**2).sum()) * 10 ** (-VOCAL_SDR / 20)
    scale = PEAK / np.abs(vocals + band).max()
    return (vocals * scale).astype(np.float32), (band * scale).astype(np.float32)


def accompaniment(sections: Sequence[Mapping[str, Any]], seed: int) -> np.ndarray:
    """Chords, bass, broken chords and drums under the sections: float32 [2, time] at 44.1 kHz."""
    key = LOWEST + int(generator(seed, "key").integers(12))
    sound = np.zeros((2, round(sections[-1]["end"] * RATE)), dtype=np.float32)
    for section in sections:
        label, start = section["label"], round(section["start"] * RATE)
        played = _play_section(STYLES[label], key, section["end"] - section["start"], seed)
        for side in (0, 1):
            add(sound[side], start, played[side])
    return sound


def _play_section(style, key, seconds, seed):
    """One section: float32 [2, time]."""
    scale = key + (MAJOR + 12 * np.arange(3)[:, None]).ravel()
    bar = seconds / BARS
    beat = bar / BEATS
    middle = np.zeros(round(seconds * RATE), dtype=np.float32)
    broken_chords = np.zeros_like(middle)
    for index, root in enumerate(style.chords):
        for third in (0, 2, 4):
            add(middle, round(index * bar * RATE), PAD * _note(scale[root + third], bar, style.pad))
        for step in range(BEATS):
            start = index * bar + step * beat
            add(middle, round(start * RATE), BASS * _note(scale[root] - 12, beat, "guitar"))
            for number in range(style.notes):
                degree = root + ARPEGGIO[(step * style.notes + number) % len(ARPEGGIO)]
                sound_of_note = _note(scale[degree] + 12, beat / style.notes, style.lead)
                onset = round((start + number * beat / style.notes) * RATE)
                add(broken_chords, onset, LEAD * sound_of_note)
        for step, letter in enumerate(style.drums):
            start = index * bar + step * beat / 2
            if letter != ".":
                add(middle, round(start * RATE), DRUMS * _drum(letter, seed))
    sound = np.stack([middle + (1 + WIDTH) * broken_chords, middle + (1 - WIDTH) * broken_chords])
    return sound * np.float32(style.level / np.sqrt((sound**2).mean()))


@cache
def _note(pitch, seconds, timbre):
    """A tone [time], cached."""
    return tone(pitch, seconds, RATE, TIMBRES[timbre])


@cache
def _drum(letter, seed):
    """A drum stroke [time]: a falling tone, or noise."""
    time = np.arange(round(0.15 * RATE)) / RATE
    if letter == "k":
        return (np.sin(2 * np.pi * 6 * (1 - np.exp(-30 * time))) * np.exp(-20 * time)).astype("f4")
    noise = generator(seed, "drum", letter).standard_normal(len(time))
    if letter == "h":
        noise = np.diff(noise, prepend=0.0)  # a high-pass filter
    return (0.4 * noise * np.exp(-time * {"s": 25, "h": 60}[letter])).astype("f4")
