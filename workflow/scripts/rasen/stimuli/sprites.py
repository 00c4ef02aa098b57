"""Notes to listen to: the keys of an instrument one after another in one sound."""

from collections.abc import Sequence

import numpy as np

RATE = 24_000  # Hz; up to C8 the first two harmonics
SLOT = 0.5  # seconds from one key to the next
FADE = 0.03  # seconds of silence at the end of a slot, and of the fade before it
LOUDEST = 0.8  # of full scale: what is decoded from an MP3 exceeds what was encoded


def sprite(sounds: Sequence[np.ndarray | None]) -> np.ndarray:
    """Sounds [time] at RATE, each at the beginning of its SLOT: float32 [slot * time].

    They are cut and faded out, and made louder or quieter together. None is silence.
    """
    slot, fade = round(SLOT * RATE), round(FADE * RATE)
    envelope = np.concatenate([np.ones(slot - 2 * fade), np.linspace(1, 0, fade), np.zeros(fade)])
    notes = np.zeros((len(sounds), slot), dtype=np.float32)
    for note, sound in zip(notes, sounds, strict=True):
        if sound is not None:
            note[: len(sound)] = sound[:slot]
    notes *= envelope
    return (notes * (LOUDEST / max(float(np.abs(notes).max()), 1e-9))).ravel().astype(np.float32)
