"""Periods without components and without a helix: regression on {t, cos, sin}.

For each period the features themselves are regressed on a trend and one pair of cosine and sine
[Kantamneni and Tegmark 2025], and the fit has to predict an instrument that took no part in it.
"""

from collections.abc import Sequence

import numpy as np

from rasen.helix.folding import TREND
from rasen.helix.reduction import compress

PERIODS = tuple(np.round(np.arange(3, 24.01, 0.25), 2))  # keys per turn


def fourier_scores(features: np.ndarray, periods: Sequence[float] = PERIODS) -> np.ndarray:
    """Held-out R2 of one pair of cosine and sine, beyond the trend: (periods,).

    features (instruments, keys, dim), each instrument centred over its keys. One instrument is held
    out at a time; the cubic trend and the pair are fitted to the mean of the others. The result is
    the share of the held-out instruments' variance, the trend's prediction removed, that the pair
    predicts: negative where it predicts nothing. NaN for one instrument, and for periods of which
    the keys hold less than one and a half.
    """
    features = np.asarray(features, dtype=np.float64)
    instruments, keys, dim = features.shape
    if instruments < 2 or not np.isfinite(features).all():
        return np.full(len(periods), np.nan)
    centred = features - features.mean(axis=1, keepdims=True)
    if dim > instruments * keys:
        centred = compress(centred.reshape(-1, dim)).reshape(instruments, keys, -1)
    others = (centred.sum(axis=0) - centred) / (instruments - 1)
    trend = np.linalg.qr(np.vander(np.linspace(-1, 1, keys), TREND + 1))[0]
    left = centred - trend @ (trend.T @ others)  # what the others' trend leaves of the held-out one
    total = (left**2).sum()
    scores = []
    for period in periods:
        if keys < 1.5 * period:
            scores.append(np.nan)
            continue
        angle = 2 * np.pi * np.arange(keys) / period
        pair = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        pair = np.linalg.qr(pair - trend @ (trend.T @ pair))[0]
        predicted = pair @ (pair.T @ others)
        with np.errstate(invalid="ignore", divide="ignore"):
            scores.append(1 - ((left - predicted) ** 2).sum() / total)
    return np.array(scores)
