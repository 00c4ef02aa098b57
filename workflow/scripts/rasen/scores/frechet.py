"""Frechet distance between two sets of embeddings, as that of two normal distributions.

    |mean difference|^2 + tr S + tr T - 2 tr sqrt(S^.5 T S^.5)

A sample's distance is too large, by about (a constant) / n, and far too large where there are fewer
rows than dimensions: at 768 dimensions and n = 300 it is 850 where the truth is 10. So n < d is
refused unless asked for by name (`few`), and `fad_infinity` extrapolates to infinite n.
"""

from collections.abc import Callable

import numpy as np

from rasen.errors import RasenError, raise_all
from rasen.seeds import generator
from rasen.stats import jackknife

PARTS = 20  # of the songs, for the jackknife
MOST = 5  # parts into which the songs are divided for the extrapolation

Groups = tuple[np.ndarray, np.ndarray]  # the song of each row of x, and of y
Distance = Callable[[np.ndarray, np.ndarray, Groups], float]


def fad(x: np.ndarray, y: np.ndarray, few: bool = False) -> float:
    """The distance of x [n, d] and y [m, d].

    few: allow fewer rows than dimensions
    """
    x, y = _checked(x, y, few)
    shift = x.mean(axis=0) - y.mean(axis=0)
    x, y = (rows - rows.mean(axis=0) for rows in (x, y))
    n, m = len(x) - 1, len(y) - 1
    spread = (x**2).sum() / n + (y**2).sum() / m
    if min(n, m) < x.shape[1]:  # tr sqrt(S^.5 T S^.5) is the nuclear norm of x y' / sqrt(n m)
        shared = np.linalg.norm(x @ y.T, "nuc") / np.sqrt(n * m)
    else:
        values, vectors = np.linalg.eigh(x.T @ x / n)
        half = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        shared = np.sqrt(np.linalg.eigvalsh(half @ (y.T @ y / m) @ half).clip(min=0)).sum()
    distance = shift @ shift + spread - 2 * shared
    # What is below the rounding errors of the terms is nothing: sets are at no distance from
    # themselves.
    return float(distance) if distance > 1e-10 * max(spread, shift @ shift) else 0.0


def fad_infinity(
    x: np.ndarray, y: np.ndarray, seed: int = 0, songs: Groups | None = None,
    few: bool = False,
) -> float:  # fmt: skip
    """The distance extrapolated to infinitely many rows: where a line in 1 / n meets 0.

    Both sets are divided into 1, 2, ... 5 parts by song, at random from the seed; the distances of
    the parts are averaged. Parts with fewer rows than dimensions are not used (but with `few`).
    songs: of each row of x and of y; None: each row is its own
    """
    x, y = _checked(x, y, few)
    own = (np.arange(len(x)), np.arange(len(y))) if songs is None else songs
    parts = [_parts(group, seed, side) for group, side in zip(own, ("x", "y"), strict=True)]
    points: list[tuple[float, float]] = []
    for count in range(1, MOST + 1):
        cuts = [
            (x[parts[0](count) == i], y[parts[1](count) == i]) for i in range(count)
        ]  # both by the same share, so the biases of both fall on one line
        rows = [min(len(a), len(b)) for a, b in cuts]
        if min(rows) < 2 or (min(rows) <= x.shape[1] and not few):
            break
        parts_of = [(len(x) / len(a) + len(y) / len(b)) / 2 for a, b in cuts]
        points.append((float(np.mean(parts_of)), float(np.mean([fad(a, b, few) for a, b in cuts]))))
    if len(points) < 2:
        raise RasenError(
            f"{min(len(x), len(y))} rows of {x.shape[1]} dimensions: their halves have fewer rows "
            "than dimensions, so nothing can be extrapolated; give more songs or fewer dimensions"
        )
    excess, distances = np.transpose(points)
    return float(np.polyfit(excess, distances, 1)[1])


def fad_interval(
    x: np.ndarray, y: np.ndarray, songs: Groups, distance: Distance,
    seed: int = 0, level: float = 0.95,
) -> tuple[float, float, float]:  # fmt: skip
    """(value, low, high) of a distance: a jackknife over 20 parts of the songs of both sets.

    A bootstrap repeats songs, which lowers the number of different rows: its distances are too
    large. Songs with the same name in both sets (a song and its reference) are left out together.
    """
    value = distance(x, y, songs)
    names = np.unique(np.concatenate([np.asarray(group, dtype=str) for group in songs]))
    order = generator(seed, "fad", "jackknife").permutation(len(names))
    parts = [set(names[order[i::PARTS]]) for i in range(min(PARTS, len(names)))]
    without = []
    for part in parts:
        kept = [~np.isin(np.asarray(group, dtype=str), list(part)) for group in songs]
        try:
            own = songs[0][kept[0]], songs[1][kept[1]]
            without.append(distance(x[kept[0]], y[kept[1]], own))
        except RasenError:  # too few rows without this part: no interval
            return value, np.nan, np.nan
    return jackknife(value, np.array(without), level)


def _parts(group, seed, side):
    """A function from a number of parts to the part of each row, whole songs in one part."""
    names, codes = np.unique(group, return_inverse=True)
    place = generator(seed, "fad", side).permutation(len(names))
    return lambda count: (place % count)[codes]


def _checked(x, y, few):
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise RasenError(f"embeddings {x.shape} and {y.shape}: give [n, d] and [m, d]")
    problems = []
    for name, rows in (("x", x), ("y", y)):
        if not np.isfinite(rows).all():
            problems.append(f"{name}: holds values that are not numbers; leave these rows out")
        if len(rows) < 2:
            problems.append(f"{name}: {len(rows)} rows; give 2 or more")
        elif len(rows) < rows.shape[1] and not few:
            problems.append(
                f"{name}: {len(rows)} rows of {rows.shape[1]} dimensions: such a distance is far "
                "too large; give more songs, an embedding of fewer dimensions, or ask for it "
                "(few=True; scores.fad.few)"
            )
    raise_all(problems)
    return x, y
