"""Features that no network made. Rows of every table: what a model's number must be read against.

Sound in, one vector a sound out, averaged over time as the activations are. numpy alone.
"""

import numpy as np

FLOOR = 1e-5  # added to amplitudes before the logarithm: -100 dB of a full-scale sine


def spectrum(sound, rate, window=2048, hop=512):
    """Time-mean amplitude spectrum of sound (..., samples): (..., bins), and their frequencies."""
    sound = np.asarray(sound, dtype=np.float64)
    if sound.shape[-1] < window:
        raise ValueError(f"a sound of {sound.shape[-1]} samples is shorter than {window=}")
    shape = np.hanning(window + 1)[:-1]
    frequencies = np.fft.rfftfreq(window, 1 / rate)
    flat = sound.reshape(-1, sound.shape[-1])
    result = np.empty((len(flat), len(frequencies)))
    for row, each in enumerate(flat):  # one at a time: frames overlap and would fill the memory
        frames = np.lib.stride_tricks.sliding_window_view(each, window)[::hop]
        result[row] = np.abs(np.fft.rfft(frames * shape)).mean(axis=0)
    return result.reshape(*sound.shape[:-1], -1) * 2 / shape.sum(), frequencies


def log_mel(sound, rate, bands=128, low=30.0, high=None, window=2048, hop=512):
    """Logarithm of the time-mean mel spectrum of sound (..., samples): (..., bands)."""
    amplitude, frequencies = spectrum(sound, rate, window, hop)
    high = high or rate / 2
    corners = _from_mel(np.linspace(_to_mel(low), _to_mel(high), bands + 2))
    return np.log(amplitude @ _triangles(corners, frequencies) + FLOOR)


def log_frequency(sound, rate, per_octave=24, low=65.4, octaves=7, window=8192, hop=2048):
    """Logarithm of the time-mean spectrum on an axis of octaves: (..., per_octave * octaves).

    A note is the same pattern at each pitch, shifted: low is C2 by default. Bands above half
    the rate are left out.
    """
    amplitude, frequencies = spectrum(sound, rate, window, hop)
    corners = low * 2 ** (np.arange(-1, per_octave * octaves + 1) / per_octave)
    corners = corners[corners <= rate / 2]
    return np.log(amplitude @ _triangles(corners, frequencies) + FLOOR)


def bag_of_tokens(codes, cardinality):
    """How often each codec token occurs: codes (..., codebooks, frames) -> (..., dim).

    dim = codebooks * cardinality, shares of the frames of each codebook. It is what any
    function of single tokens knows after averaging over time, untrained networks included.
    """
    codes = np.asarray(codes)
    *batch, codebooks, frames = codes.shape
    if codes.size and not 0 <= codes.min() <= codes.max() < cardinality:
        raise ValueError(
            f"codes lie in [{codes.min()}, {codes.max()}], outside 0 to {cardinality - 1}"
        )
    flat = codes.reshape(-1, frames)
    places = np.arange(len(flat))[:, None] * cardinality + flat
    counts = np.bincount(places.ravel(), minlength=len(flat) * cardinality)
    return counts.reshape(*batch, codebooks * cardinality) / frames


def _triangles(corners, frequencies):
    """Overlapping triangular bands with unit sum, (bins, bands); band i peaks at corner i + 1.

    A band narrower than the spacing of the bins takes the spectrum interpolated at its peak.
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
