"""What one hears of a recording without any model: level, clipping, silence, and a fingerprint."""

import numpy as np

from rasen.songs import recording

CLIPPED = 0.9999  # of full scale ...
RUN = 3  # ... in so many samples in a row
QUIET = 1e-3  # root mean square of a silent moment: 60 dB below full scale
MOMENT = 0.1  # seconds

RATE = 5000  # of the sound that the fingerprint hears
BANDS = 33  # between 300 and 2000 Hz, evenly in log frequency: 32 differences, one bit each
WINDOW, HOP = 2048, 320  # samples: 0.41 s, and 15.6 bits-words a second


def measures(sound, rate):
    """{seconds, rate, channels, peak, clipping, silence} of sound [channels, time]."""
    loud = np.abs(sound).max(axis=0)
    moment = max(1, round(MOMENT * rate))
    whole = len(loud) // moment * moment
    power = (sound**2).mean(axis=0)[:whole].reshape(-1, moment).mean(axis=1)
    return {
        "seconds": sound.shape[1] / rate,
        "rate": rate,
        "channels": len(sound),
        "peak": float(loud.max()),
        "clipping": float(_in_runs(loud >= CLIPPED).mean()),
        "silence": float((power < QUIET**2).mean()) if whole else 0.0,
    }


def _in_runs(hot):
    """Which samples [time] lie in a run of at least RUN that are hot."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hot.view(np.int8), [0]])))
    found = np.zeros(len(hot), dtype=bool)
    for start, end in edges.reshape(-1, 2):
        if end - start >= RUN:
            found[start:end] = True
    return found


def fingerprint(sound, rate):
    """Words of 32 bits [frames] that survive coding, resampling and level (Haitsma and Kalker).

    A bit says whether the difference of two neighbouring bands grew since the last frame.
    """
    mono = recording.mono(sound, rate, RATE)
    if len(mono) < WINDOW + HOP:
        return np.zeros(0, dtype=np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP]
    edges = np.geomspace(300, 2000, BANDS + 1) / RATE * WINDOW
    bins = np.round(edges).astype(int)
    energy = np.empty((len(frames), BANDS))
    for start in range(0, len(frames), 512):  # bounded for a long song
        block = frames[start : start + 512] * np.hanning(WINDOW).astype(np.float32)
        power = np.abs(np.fft.rfft(block, axis=1)) ** 2
        energy[start : start + 512] = np.add.reduceat(power, bins, axis=1)[:, :BANDS]
    bits = np.diff(np.diff(energy, axis=1), axis=0) > 0
    return np.packbits(bits, axis=1).view(">u4").astype(np.uint32).ravel()
