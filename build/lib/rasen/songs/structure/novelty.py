"""Sections of a recording by ear alone: where it changes, and which parts sound alike.

Boundaries are peaks of Foote's checkerboard novelty on cepstra (timbre and loudness: a change of
chord is none of section), letters an agglomerative clustering of the parts between them on cepstra
and chroma. numpy and scipy, no network, no downloads; time and memory grow with the length alone.
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.fft import dct
from scipy.signal import find_peaks, oaconvolve
from scipy.spatial.distance import cdist

KERNEL = 14.0  # seconds that a change is judged by, half before it and half after
SHORTEST = 5.0  # seconds between boundaries
CHANGE = 0.6  # the least change that is a boundary, in the song's own spread
FRAMES = 2  # a second, where changes are sought
FINE = 8  # frames a second, to which a boundary is then snapped
WINDOW = 0.19  # seconds of a spectrum
BANDS, CEPSTRA = 40, 13
LOW, HIGH = 60.0, 10_000.0  # Hz
QUIET = 60.0  # dB below the song's loudest band and frame: what is softer counts as this
CHROMA = 0.5  # weight of harmony beside timbre, between sections
PROMINENCE = 0.2  # of CHANGE: how far a peak must rise above its surroundings
# ASSUME: two sections share a letter when their means differ by less than this times what the two
# halves of a section differ by (the median over the song).
ALIKE = 0.75


def segments(sound, rate):
    """Boundaries [n + 1] in seconds from 0 to the end, letters [n], confidence [n] of a mono sound.

    sound: [time]. A letter's confidence is the share of the section's frames that sound more like
    the mean of their own letter than like that of any other: 1 is unmistakable, and where a song
    has one letter only it is 0, for nothing was told apart.
    """
    timbre, harmony = features(sound, rate)
    coarse = _unit(_mean_of(timbre, FINE // FRAMES))
    seconds = len(sound) / rate
    cuts = peaks(novelty(coarse, KERNEL * FRAMES))
    cuts = snap(cuts, timbre)
    least = SHORTEST / 2
    boundaries = np.concatenate(
        [[0.0], cuts[(cuts >= least) & (cuts <= seconds - least)], [seconds]]
    )
    both = np.hstack([coarse, CHROMA * _unit(_mean_of(harmony, FINE // FRAMES))])
    numbers, confidence = cluster(both, boundaries)
    return boundaries, [letter(number) for number in numbers], confidence


def letter(number):
    """A, B, ... Z, A1, B1, ..."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


# --- what is heard


def features(sound, rate):
    """Mel cepstra [frames, CEPSTRA] and chroma [frames, 12] of sound [time], FINE a second.

    Spectra are made one second at a time: the memory is that of the features, whatever the length.
    """
    size = 2 ** round(np.log2(WINDOW * rate))
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    bank = np.concatenate([_mel(frequencies), _chroma(frequencies)]).T  # [bins, BANDS + 12]
    shape = np.hanning(size).astype(np.float32)
    count = max(1, int(np.ceil(len(sound) / rate * FINE)))
    starts = ((np.arange(count) + 0.5) * rate / FINE - size / 2).astype(int)
    power = np.empty((count, bank.shape[1]))
    for first in range(0, count, FINE):
        frames = [_window(sound, start, size) * shape for start in starts[first : first + FINE]]
        power[first : first + FINE] = np.abs(np.fft.rfft(frames)) ** 2 @ bank
    mel = 10 * np.log10(power[:, :BANDS] + 1e-12)
    mel = np.maximum(mel, mel.max() - QUIET)
    chroma = np.sqrt(power[:, BANDS:])
    chroma /= np.linalg.norm(chroma, axis=1, keepdims=True) + 1e-9
    return dct(mel, norm="ortho")[:, :CEPSTRA], chroma


def _window(sound, start, size):
    """sound [size] from `start`, with zeros beyond its ends."""
    part = sound[max(start, 0) : max(start + size, 0)]
    before = max(-start, 0)
    return np.pad(part, (before, size - before - len(part)))


def _mel(frequencies):
    """Triangles evenly spaced in mel: [BANDS, bins], each of sum 1."""
    low, high = 1127 * np.log1p(np.array([LOW, min(HIGH, frequencies[-1])]) / 700)
    corners = 700 * np.expm1(np.linspace(low, high, BANDS + 2) / 1127)[:, None]
    widths = np.diff(corners, axis=0)
    rise = (frequencies - corners[:-2]) / widths[:-1]
    fall = (corners[2:] - frequencies) / widths[1:]
    bank = np.clip(np.minimum(rise, fall), 0, None)
    return bank / (bank.sum(axis=1, keepdims=True) + 1e-9)


def _chroma(frequencies):
    """Which of the 12 pitch classes each bin between 65 and 2100 Hz belongs to: [12, bins]."""
    heard = (frequencies > 65) & (frequencies < 2100)
    pitch = np.round(12 * np.log2(np.where(heard, frequencies, 440) / 440)).astype(int) % 12
    return (np.arange(12)[:, None] == pitch) & heard


def _unit(x):
    """x [frames, dim] centred, and scaled as a whole to a mean squared length of 1."""
    x = x - x.mean(axis=0)
    return x / (np.sqrt((x**2).sum(axis=1).mean()) + 1e-9)


def _mean_of(x, count):
    """Means of every `count` rows of x [frames, dim]; the last may be of fewer."""
    edges = np.arange(0, len(x), count)
    sizes = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / sizes[:, None]


# --- where it changes


def novelty(x, width):
    """Square root of Foote's novelty [frames + 1] around the rows of x [frames, dim].

    His is the correlation of the matrix of all scalar products with a checkerboard of `width`
    frames under a Gaussian. That kernel is the product of a vector with itself, so the matrix is
    never made: what remains is the squared length of the change of a weighted mean.
    """
    half = max(1, round(width / 2))
    taper = np.exp(-0.5 * ((np.arange(half) + 0.5) / (half / 2)) ** 2)
    kernel = np.concatenate([-taper[::-1], taper]) / taper.sum()
    padded = np.pad(x, ((half, half), (0, 0)), mode="edge")
    change = oaconvolve(padded, kernel[::-1, None], mode="valid", axes=0)
    return np.linalg.norm(change, axis=1)


def peaks(curve):
    """Seconds of the peaks of a novelty curve that stand out."""
    apart = round(SHORTEST * FRAMES)
    found, _ = find_peaks(curve, height=CHANGE, prominence=PROMINENCE * CHANGE, distance=apart)
    return found / FRAMES


def snap(cuts, fine):
    """Each of `cuts` moved by up to a second, to where the sound changes most within 4 s.

    fine: features [frames, dim], FINE a second.
    """
    curve = novelty(fine, 4 * FINE)
    moved = []
    for cut in np.round(cuts * FINE).astype(int):
        first = max(cut - FINE, 0)
        moved.append(first + np.argmax(curve[first : cut + FINE + 1]))
    return np.unique(moved) / FINE


# --- which sections sound alike


def cluster(x, boundaries):
    """Number of the letter of each section, counted as they appear, and its confidence.

    x: features [frames, dim], FRAMES a second.
    """
    times = (np.arange(len(x)) + 0.5) / FRAMES
    section = np.clip(np.searchsorted(boundaries, times) - 1, 0, len(boundaries) - 2)
    parts = [x[section == i] for i in range(len(boundaries) - 1)]
    if len(parts) == 1:
        return np.zeros(1, dtype=int), np.zeros(1)
    means = np.stack([part.mean(axis=0) for part in parts])
    halves = [np.linalg.norm(np.subtract(*(half.mean(axis=0) for half in np.array_split(part, 2))))
              for part in parts if len(part) > 1]  # fmt: skip
    tree = linkage(means, "average")
    numbers = _in_order(fcluster(tree, ALIKE * np.median(halves), "distance"))
    of_frame = numbers[section]
    centres = np.stack([x[of_frame == n].mean(axis=0) for n in range(numbers.max() + 1)])
    if len(centres) == 1:
        return numbers, np.zeros(len(parts))
    near = cdist(x, centres).argmin(axis=1) == of_frame
    return numbers, np.array([near[section == i].mean() for i in range(len(parts))])


def _in_order(numbers):
    """Cluster numbers [n] renamed 0, 1, ... in order of their first appearance."""
    names = {}
    return np.array([names.setdefault(number, len(names)) for number in numbers])
