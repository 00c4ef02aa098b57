"""The frames of sketch and latents: 25 per second, in patches of 16, and windows over them.

A song of s seconds has T = 16 ceil(s / 0.64) frames; its sound is padded with zeros to exactly T
frames, so that the sketch (960 samples per frame at 24 kHz) and the latents (1920 samples per frame
at 48 kHz) are aligned frame by frame.
"""

from itertools import pairwise

import numpy as np

FRAME_RATE = 25  # frames per second
PATCH = 16  # frames, 0.64 s
LATENT_CHANNELS = 64  # of one frame of latents


def frame_count(samples: int, rate: int) -> int:
    """T of a sound of `samples` samples at `rate`: whole patches, computed with integers only."""
    if samples < 1:
        raise ValueError(f"a sound of {samples} samples has no frames")
    return PATCH * -(-samples * FRAME_RATE // (rate * PATCH))


def pad_to_frames(sound: np.ndarray, rate: int) -> np.ndarray:
    """sound [..., time] with zeros at its end, T frames long."""
    if rate % FRAME_RATE:
        raise ValueError(f"{rate} Hz is not a whole number of samples per frame")
    samples = sound.shape[-1]
    missing = frame_count(samples, rate) * (rate // FRAME_RATE) - samples
    return np.pad(sound, [(0, 0)] * (sound.ndim - 1) + [(0, missing)])


def overlapping_windows(total: int, size: int, margin: int) -> list[tuple[int, int, int]]:
    """Windows of `size` frames that cover `total` frames: rows (start, first, last).

    Of the window [start, start + size) the frames [first, last) are kept: at least `margin` of its
    own frames lie between them and each end of the window, except at the song's own ends. All
    windows are equally long (the last one overlaps more), or there is one of `total` frames.
    """
    if size <= 2 * margin:
        raise ValueError(f"a window of {size} frames keeps none beside margins of {margin}")
    if total <= size:
        return [(0, 0, total)]
    starts = [*range(0, total - size, size - 2 * margin), total - size]
    middles = [(left + size + right) // 2 for left, right in pairwise(starts)]
    edges = [0, *middles, total]  # neighbours meet in the middle of their overlap
    return list(zip(starts, edges[:-1], edges[1:], strict=True))
