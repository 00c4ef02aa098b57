"""Where the vocals sound: voice activity by energy alone, which loses no singing."""

import numpy as np

from rasen.songs.align.words import FRAME, SAMPLE_RATE

RANGE = 60.0  # decibels below the loudest frames: quieter ones count as equally silent
BINS = 60
REACH = 0.14  # seconds around a loud frame that belong to it (consonants are quiet)


def voiced_frames(vocals: np.ndarray) -> np.ndarray:
    """bool [frames]: whether `vocals` [time] sound, or only silence or what a separation left.

    The threshold is Otsu's: levels in decibels are divided into two classes, as far apart as can
    be. Vocals that only hold residual music have such classes too: this finds no singing.
    """
    count = len(vocals) // FRAME
    frames = np.asarray(vocals[: count * FRAME], dtype=np.float64).reshape(count, FRAME)
    power = (frames**2).mean(axis=1)
    if not power.any():
        return np.zeros(count, dtype=bool)
    level = 10 * np.log10(power + 1e-12)
    level = np.maximum(level, np.percentile(level, 99) - RANGE)
    loud = (level > _otsu(level)).astype(int)
    width = 2 * round(REACH * SAMPLE_RATE / FRAME) + 1
    return np.convolve(loud, np.ones(width, dtype=int))[width // 2 :][:count] > 0


def _otsu(values):
    """The threshold with the greatest variance between the values below and above it."""
    counts, edges = np.histogram(values, BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * middles)[:-1]
    share, mean = below / len(values), (counts * middles).sum() / len(values)
    between = (mean * share - sums / len(values)) ** 2 / np.maximum(share * (1 - share), 1e-12)
    return edges[1:-1][int(between.argmax())]
