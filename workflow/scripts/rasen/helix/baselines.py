"""Baseline features without a network, to which a model's numbers are compared in every table.

Sound in, one vector per sound out, averaged over time as the activations are. numpy alone.
"""

import numpy as np

FLOOR = 1e-5  # added to amplitudes before the logarithm: -100 dB of a full-scale sine


def spectrum(
    sound: np.ndarray, rate: float, window: int = 2048, hop: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Time-mean amplitude spectrum of sound (..., samples): (..., bins), and their frequencies."""
    sound = np.asarray(sound, dtype=np.float64)
    if sound.shape[-1] < window:
        raise ValueError(f"a sound of {sound.shape[-1]} samples is shorter than {window=}")
    taper = np.hanning(window + 1)[:-1]
    frequencies = np.fft.rfftfreq(window, 1 / rate)
    flat = sound.reshape(-1, sound.shape[-1])
    result = np.empty((len(flat), len(frequencies)))
    for row, samples in enumerate(flat):  # one at a time: frames overlap and would fill the memory
        frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
        result[row] = np.abs(np.fft.rfft(frames * taper)).mean(axis=0)
    return result.reshape(*sound.shape[:-1], -1) * 2 / taper.sum(), frequencies


def log_mel(
    sound: np.ndarray, rate: float, bands: int = 128, low: float = 30.0, high: float | None = None,
    window: int = 2048, hop: int = 512,
) -> np.ndarray:  # fmt: skip
    """Logarithm of the time-mean mel spectrum of sound (..., samples): (..., bands)."""
    amplitude, frequencies = spectrum(sound, rate, window, hop)
    high = high or rate / 2
    corners = _from_mel(np.linspace(_to_mel(low), _to_mel(high), bands + 2))
    return np.log(amplitude @ _triangles(corners, frequencies) + FLOOR)


def log_frequency(
    sound: np.ndarray, rate: float, per_octave: int = 24, low: float = 65.4, high: float = 8372.0,
    window: int = 8192, hop: int = 2048,
) -> np.ndarray:  # fmt: skip
    """Logarithm of the time-mean spectrum on an axis of octaves: (..., per_octave * octaves).

    A note is the same pattern at each pitch, shifted. From C2 to C9 by default; of notes below C2
    the fundamental would be missing: give the lowest one's frequency. Bands above half the rate
    are left out.
    """
    amplitude, frequencies = spectrum(sound, rate, window, hop)
    bands = round(per_octave * np.log2(high / low))
    corners = low * 2 ** (np.arange(-1, bands + 1) / per_octave)
    corners = corners[corners <= rate / 2]
    return np.log(amplitude @ _triangles(corners, frequencies) + FLOOR)


def bag_of_tokens(codes: np.ndarray, cardinality: int) -> np.ndarray:
    """Relative frequencies of codec tokens: codes (..., codebooks, frames) -> (..., dim).

    dim = codebooks * cardinality, shares of the frames of each codebook. Averaged over time, any
    function of single tokens (an untrained embedding, say) is linear in them.
    """
    codes = np.asarray(codes)
    *batch, codebooks, frames = codes.shape
    if codes.size and not 0 <= codes.min() <= codes.max() < cardinality:
        raise ValueError(
            f"codes are in [{codes.min()}, {codes.max()}], outside 0 to {cardinality - 1}"
        )
    flat = codes.reshape(-1, frames)
    places = np.arange(len(flat))[:, None] * cardinality + flat
    counts = np.bincount(places.ravel(), minlength=len(flat) * cardinality)
    return counts.reshape(*batch, codebooks * cardinality) / frames


def _triangles(corners, frequencies):
    """Overlapping triangular bands with unit sum, (bins, bands); band i peaks at corner i + 1.

    A band narrower than the spacing of the bins is the spectrum interpolated at its peak.
    """
    below, peak, above = corners[:-2], corners[1:-1], corners[2:]
    step = frequencies[1]
    rise = (frequencies[:, None] - below) / np.maximum(peak - below, step)
    fall = (above - frequencies[:, None]) / np.maximum(above - peak, step)
    near = 1 - np.abs(frequencies[:, None] - peak) / step
    bands = np.maximum(np.minimum(rise, fall), near).clip(min=0)
    return bands / bands.sum(axis=0)


def _to_mel(frequency):
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)


def _from_mel(mel):
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)
