"""Measures of a recording that need no model: level, clipping, silence, and a fingerprint.

The fingerprint is that of Haitsma and Kalker ("A highly robust audio fingerprinting system",
ISMIR 2002).
"""

from pathlib import Path

import numpy as np

from rasen.errors import CURE, RasenError
from rasen.songs import recording

CLIPPED = 0.9999  # of full scale ...
RUN = 3  # ... in so many samples in a row
QUIET = 1e-3  # root mean square of a silent stretch: 60 dB below full scale
STRETCH = 0.1  # seconds

FINGERPRINT_RATE = 5000  # samples per second of the sound that the fingerprint is made from
BANDS = 33  # between 300 and 2000 Hz, evenly in log frequency: 32 differences, one bit each
WINDOW, HOP = 2048, 320  # samples: 0.41 s, and 15.6 words of 32 bits per second


def measure_sound(sound: np.ndarray, rate: int) -> dict[str, float]:
    """{seconds, rate, channels, peak, clipping, silence} of sound [channels, time].

    clipping: share of the samples that are clipped; silence: share of the stretches without sound
    """
    magnitude = np.abs(sound).max(axis=0)
    stretch = max(1, round(STRETCH * rate))
    whole = len(magnitude) // stretch * stretch
    power = (sound**2).mean(axis=0)[:whole].reshape(-1, stretch).mean(axis=1)
    return {
        "seconds": sound.shape[1] / rate,
        "rate": rate,
        "channels": len(sound),
        "peak": float(magnitude.max()),
        "clipping": float(_in_runs(magnitude >= CLIPPED).mean()),
        "silence": float((power < QUIET**2).mean()) if whole else 0.0,
    }


def read_fingerprint(path: Path | str) -> np.ndarray:
    """The words [frames] uint32 that np.save wrote, in a fifth of np.load's time."""
    data = Path(path).read_bytes()
    start = 10 + int.from_bytes(data[8:10], "little")  # magic, version, length of the header
    if data[:8] != b"\x93NUMPY\x01\0" or b"'<u4'" not in data[:start]:
        raise RasenError(f"{path}: no fingerprint; {CURE}")
    return np.frombuffer(data, "<u4", offset=start)


def _in_runs(clipped):
    """Which samples [time] lie in a run of at least RUN that are `clipped` [time]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], clipped.view(np.int8), [0]])))
    in_run = np.zeros(len(clipped), dtype=bool)
    for start, end in edges.reshape(-1, 2):
        if end - start >= RUN:
            in_run[start:end] = True
    return in_run


def fingerprint(sound: np.ndarray, rate: int) -> np.ndarray:
    """Words of 32 bits [frames] that survive coding, resampling and changes of level.

    A bit says whether the difference of two neighbouring bands grew since the last frame.
    """
    mono = recording.to_mono(sound, rate, FINGERPRINT_RATE)
    if len(mono) < WINDOW + HOP:
        return np.zeros(0, dtype=np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP]
    edges = np.geomspace(300, 2000, BANDS + 1) / FINGERPRINT_RATE * WINDOW
    bins = np.round(edges).astype(int)
    energy = np.empty((len(frames), BANDS))
    for start in range(0, len(frames), 512):  # blocks bound the memory of a long song
        block = frames[start : start + 512] * np.hanning(WINDOW).astype(np.float32)
        power = np.abs(np.fft.rfft(block, axis=1)) ** 2
        energy[start : start + 512] = np.add.reduceat(power, bins, axis=1)[:, :BANDS]
    bits = np.diff(np.diff(energy, axis=1), axis=0) > 0
    return np.packbits(bits, axis=1).view(">u4").astype(np.uint32).ravel()
