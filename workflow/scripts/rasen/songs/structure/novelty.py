"""Sections from the audio alone: where it changes, and which sections sound alike.

Boundaries are peaks of Foote's checkerboard novelty ("Automatic audio segmentation using a measure
of audio novelty", ICME 2000) on cepstra: timbre and loudness, since a change of chord is no change
of section. Letters are an agglomerative clustering of the sections on cepstra and chroma. No neural
network, no downloads; time and memory are linear in the length.
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.fft import dct
from scipy.signal import find_peaks, oaconvolve
from scipy.spatial.distance import cdist

KERNEL = 14.0  # seconds of the checkerboard, half before a change and half after
SHORTEST = 5.0  # seconds between boundaries
CHANGE = 0.6  # the least novelty of a boundary, in the song's own spread
FRAMES = 2  # per second, for the detection of changes
FINE = 8  # frames per second, for the exact place of a boundary
WINDOW = 0.19  # seconds of a spectrum
BANDS, CEPSTRA = 40, 13
LOW, HIGH = 60.0, 10_000.0  # Hz
QUIET = 60.0  # dB below the song's loudest band and frame, the floor of the spectra
CHROMA = 0.5  # weight of harmony beside timbre, between sections
PROMINENCE = 0.2  # of CHANGE: how far a peak must rise above its surroundings
# ASSUME: two sections share a letter when their means differ by less than this times the difference
# between the two halves of a section (the median over the song).
ALIKE = 0.75


def segment(sound: np.ndarray, rate: int) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Boundaries [n + 1] in seconds from 0 to the end, letters [n], confidence [n] of a mono sound.

    sound: [time]. A letter's confidence is the share of the section's frames that are nearer to the
    mean of their own letter than to that of any other; 0 where a song has one letter only.
    """
    timbre, harmony = features(sound, rate)
    coarse = _normalised(_block_means(timbre, FINE // FRAMES))
    seconds = len(sound) / rate
    cuts = pick_peaks(novelty(coarse, KERNEL * FRAMES))
    cuts = refine_boundaries(cuts, timbre)
    least = SHORTEST / 2
    boundaries = np.concatenate(
        [[0.0], cuts[(cuts >= least) & (cuts <= seconds - least)], [seconds]]
    )
    both = np.hstack([coarse, CHROMA * _normalised(_block_means(harmony, FINE // FRAMES))])
    numbers, confidence = cluster_sections(both, boundaries)
    return boundaries, [letter_of(number) for number in numbers], confidence


def letter_of(number: int) -> str:
    """A, B, ... Z, A1, B1, ..."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


# --- features


def features(sound: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Mel cepstra [frames, CEPSTRA] and chroma [frames, 12] of sound [time], FINE per second.

    Spectra are made one second at a time, so they take no memory beside that of the features.
    """
    size = 2 ** round(np.log2(WINDOW * rate))
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    filters = np.concatenate([_mel(frequencies), _chroma(frequencies)]).T  # [bins, BANDS + 12]
    taper = np.hanning(size).astype(np.float32)
    count = max(1, int(np.ceil(len(sound) / rate * FINE)))
    starts = ((np.arange(count) + 0.5) * rate / FINE - size / 2).astype(int)
    power = np.empty((count, filters.shape[1]))
    for first in range(0, count, FINE):
        frames = [_window(sound, start, size) * taper for start in starts[first : first + FINE]]
        power[first : first + FINE] = np.abs(np.fft.rfft(frames)) ** 2 @ filters
    mel = 10 * np.log10(power[:, :BANDS] + 1e-12)
    mel = np.maximum(mel, mel.max() - QUIET)
    chroma = np.sqrt(power[:, BANDS:])
    chroma /= np.linalg.norm(chroma, axis=1, keepdims=True) + 1e-9
    return dct(mel, norm="ortho")[:, :CEPSTRA], chroma


def _window(sound, start, size):
    """sound [size] from `start`, with zeros beyond its ends."""
    inside = sound[max(start, 0) : max(start + size, 0)]
    before = max(-start, 0)
    return np.pad(inside, (before, size - before - len(inside)))


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
    used = (frequencies > 65) & (frequencies < 2100)
    pitch = np.round(12 * np.log2(np.where(used, frequencies, 440) / 440)).astype(int) % 12
    return (np.arange(12)[:, None] == pitch) & used


def _normalised(x):
    """x [frames, dim] centred, and scaled as a whole to a mean squared length of 1."""
    x = x - x.mean(axis=0)
    return x / (np.sqrt((x**2).sum(axis=1).mean()) + 1e-9)


def _block_means(x, count):
    """Means of every `count` rows of x [frames, dim]; the last may be of fewer."""
    edges = np.arange(0, len(x), count)
    sizes = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / sizes[:, None]


# --- boundaries


def novelty(x: np.ndarray, width: float) -> np.ndarray:
    """Square root of Foote's novelty [frames + 1] around the rows of x [frames, dim].

    Foote's novelty is the correlation of the matrix of all scalar products with a checkerboard of
    `width` frames under a Gaussian. This kernel is the outer product of a vector with itself, so
    the novelty is the squared length of a convolution of x, and the matrix is not needed.
    """
    half = max(1, round(width / 2))
    taper = np.exp(-0.5 * ((np.arange(half) + 0.5) / (half / 2)) ** 2)
    kernel = np.concatenate([-taper[::-1], taper]) / taper.sum()
    padded = np.pad(x, ((half, half), (0, 0)), mode="edge")
    change = oaconvolve(padded, kernel[::-1, None], mode="valid", axes=0)
    return np.linalg.norm(change, axis=1)


def pick_peaks(curve: np.ndarray) -> np.ndarray:
    """Seconds of the peaks of a novelty curve that are high and prominent enough."""
    distance = round(SHORTEST * FRAMES)
    peaks, _ = find_peaks(curve, height=CHANGE, prominence=PROMINENCE * CHANGE, distance=distance)
    return peaks / FRAMES


def refine_boundaries(cuts: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Each of `cuts` (seconds) moved by up to a second, to the highest novelty over 4 s.

    fine: features [frames, dim], FINE per second
    """
    curve = novelty(fine, 4 * FINE)
    moved = []
    for cut in np.round(cuts * FINE).astype(int):
        first = max(cut - FINE, 0)
        moved.append(first + np.argmax(curve[first : cut + FINE + 1]))
    return np.unique(moved) / FINE


# --- letters


def cluster_sections(x: np.ndarray, boundaries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the letter of each section, in order of first appearance, and its confidence.

    x: features [frames, dim], FRAMES per second
    """
    times = (np.arange(len(x)) + 0.5) / FRAMES
    section = np.clip(np.searchsorted(boundaries, times) - 1, 0, len(boundaries) - 2)
    frames = [x[section == i] for i in range(len(boundaries) - 1)]
    if len(frames) == 1:
        return np.zeros(1, dtype=int), np.zeros(1)
    means = np.stack([own.mean(axis=0) for own in frames])
    differences = [_difference_of_halves(own) for own in frames if len(own) > 1]
    tree = linkage(means, "average")
    numbers = _in_order(fcluster(tree, ALIKE * np.median(differences), "distance"))
    of_frame = numbers[section]
    centres = np.stack([x[of_frame == n].mean(axis=0) for n in range(numbers.max() + 1)])
    if len(centres) == 1:
        return numbers, np.zeros(len(frames))
    nearest = cdist(x, centres).argmin(axis=1) == of_frame
    return numbers, np.array([nearest[section == i].mean() for i in range(len(frames))])


def _difference_of_halves(frames):
    """Distance between the means of the two halves of a section's frames [frames, dim]."""
    first, second = np.array_split(frames, 2)
    return np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))


def _in_order(numbers):
    """Cluster numbers [n] renamed 0, 1, ... in order of their first appearance."""
    names: dict[int, int] = {}
    return np.array([names.setdefault(number, len(names)) for number in numbers])
