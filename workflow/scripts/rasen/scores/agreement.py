"""Cosine with a prompt (MCC), and ratings of listeners (MOS): means with intervals over songs."""

from collections.abc import Sequence

import numpy as np

from rasen.errors import RasenError
from rasen.scores.rates import Rate, pooled_rate, require_pairs
from rasen.seeds import generator


def mcc(x: np.ndarray, y: np.ndarray, draws: int = 1000, seed: int = 0) -> Rate:
    """Mean cosine of the embeddings of songs x [songs, d] and of their prompts y [songs, d].

    `errors` of the result are the cosines of the songs.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or x.shape[1:] != y.shape[1:]:
        raise RasenError(f"embeddings {x.shape} and {y.shape}: give [songs, d] twice")
    require_pairs(len(x), len(y), "embeddings of songs and of prompts")
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise RasenError("an embedding is zero or not a number; leave its song out")
    return pooled_rate((x * y).sum(axis=1) / norms, np.ones(len(x)), draws, seed, "mcc")


def mos(
    ratings: Sequence[float], songs: Sequence[str], raters: Sequence[str] | None = None,
    draws: int = 1000, seed: int = 0,
) -> Rate:  # fmt: skip
    """Mean opinion score of one system: the mean of its ratings.

    Songs are resampled and, independently, raters where they are named: both are samples of those
    that there are, so an interval over single ratings would be too narrow.
    `errors` and `lengths` of the result are the sums and numbers of ratings of each song.
    """
    rating = np.asarray(ratings, dtype=float)
    require_pairs(len(rating), len(songs), "ratings and their songs")
    if not len(rating) or not np.isfinite(rating).all():
        raise RasenError("ratings must be numbers, one or more")
    _, song = np.unique(np.asarray(songs, dtype=str), return_inverse=True)
    listeners = songs if raters is None else raters
    require_pairs(len(rating), len(listeners), "ratings and their raters")
    _, rater = np.unique(np.asarray(listeners, dtype=str), return_inverse=True)
    sums, counts = np.zeros((2, song.max() + 1, rater.max() + 1))
    np.add.at(sums, (song, rater), rating)
    np.add.at(counts, (song, rater), 1)
    low = high = np.nan
    if len(sums) > 1:
        rng = generator(seed, "mos")
        weights = [_resampled(rng, count, draws) for count in sums.shape]
        if raters is None or sums.shape[1] == 1:
            weights[1] = np.ones((draws, sums.shape[1]))
        totals, numbers = (
            np.einsum("ds,sr,dr->d", weights[0], table, weights[1]) for table in (sums, counts)
        )
        drawn = totals[numbers > 0] / numbers[numbers > 0]  # a rater may have heard few songs
        low, high = np.percentile(drawn, [2.5, 97.5])
    return Rate(float(rating.mean()), float(low), float(high), sums.sum(axis=1), counts.sum(axis=1))


def _resampled(rng, count, draws):
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
