"""Training data of the models: words of the lexicon by many voices, and other accompaniments.

The voices, the word orders and the accompaniments' seeds differ from those of the fixture songs.
"""

import numpy as np
from espeak import RATE
from make_songs import sing
from words import lexicon, lines

from rasen.io.audio import resample
from rasen.seeds import generator
from rasen.songs.demo import compose

VARIANTS = ("", "", "+m1", "+m2", "+m3", "+m5", "+f1", "+f2", "+f4")
LENGTHS = {"en": (3, 8), "ja": (6, 13), "zh": (4, 9)}  # words of a line
FROM_SONGS = 0.4  # share of lines that are those of a fixture song, in other voices
LABELS = tuple(compose.STYLES)


def utterance(rng, language, rate):
    """A spoken line: sound float32 [time] at a rate, its text and its words with their times."""
    known, own = lexicon(language), lines(language)
    space = " " if language == "en" else ""
    while True:
        line = own[rng.integers(len(own))]
        if rng.random() > FROM_SONGS:
            count = rng.integers(*LENGTHS[language])
            line = space.join(known[index][0] for index in rng.integers(len(known), size=count))
        voice = {
            "variant": VARIANTS[rng.integers(len(VARIANTS))],
            "speed": rng.integers(100, 165),
            "pitch": rng.integers(30, 85),
            "span": rng.integers(30, 70),
        }
        try:
            sound, words = sing(line, language, **voice)
        except KeyError:  # espeak joined two words ("in the"): their times are not known
            continue
        return resample(sound / np.abs(sound).max(), RATE, rate), line, words


def band(seed, seconds, rate):
    """An accompaniment with sections in random order: float32 [2, time] at a rate."""
    rng = generator(seed, "band")
    length = rng.uniform(6, 10)
    labels = rng.permutation(np.tile(LABELS, 1 + int(seconds / length / len(LABELS))))
    sections = [
        {"label": str(label), "start": index * length, "end": (index + 1) * length}
        for index, label in enumerate(labels)
    ]
    sound = compose.accompaniment(sections, seed + 1000)[:, : round(seconds * compose.RATE)]
    return resample(sound, compose.RATE, rate)


def crop(rng, sound, size):
    """A stretch [..., size] of a longer sound."""
    start = rng.integers(sound.shape[-1] - size)
    return sound[..., start : start + size]
