"""The clock of sketch and latents: 25 frames a second, in patches of 16, and windows over them.

A song of s seconds has T = 16 ceil(s / 0.64) frames; its sound is padded with zeros to exactly T
frames, so that the sketch (960 samples a frame at 24 kHz) and the latents (1920 samples a frame
at 48 kHz) are in step.
"""

from itertools import pairwise

import numpy as np

RATE = 25  # frames a second
PATCH = 16  # frames, 0.64 s


def frames(samples, rate):
    """T of a sound of `samples` samples at `rate`, whole patches (integers: nothing is rounded)."""
    if samples < 1:
        raise ValueError(f"a sound of {samples} samples has no frames")
    return PATCH * -(-samples * RATE // (rate * PATCH))


def pad(sound, rate):
    """sound [..., time] with zeros at its end, T frames long."""
    if rate % RATE:
        raise ValueError(f"{rate} Hz is not a whole number of samples a frame")
    missing = frames(sound.shape[-1], rate) * (rate // RATE) - sound.shape[-1]
    return np.pad(sound, [(0, 0)] * (sound.ndim - 1) + [(0, missing)])


def windows(total, size, margin):
    """Windows of `size` frames that cover `total` frames: rows (start, first, last).

    Of the window [start, start + size) the frames [first, last) are kept: at least `margin` of its
    own frames lie between them and each end of the window, except where the song itself ends. All
    windows are equally long (the last one overlaps more), or there is one of `total` frames.
    """
    if size <= 2 * margin:
        raise ValueError(f"a window of {size} frames keeps none beside margins of {margin}")
    if total <= size:
        return [(0, 0, total)]
    starts = [*range(0, total - size, size - 2 * margin), total - size]
    middles = [(one + size + other) // 2 for one, other in pairwise(starts)]
    edges = [0, *middles, total]  # neighbours part in the middle of what both see
    return list(zip(starts, edges[:-1], edges[1:], strict=True))
