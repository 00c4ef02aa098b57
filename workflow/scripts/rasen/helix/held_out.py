"""Pitch class in an octave that a probe has not seen: how well, and how often without an octave."""

import numpy as np

from rasen.helix.folding import PERIOD
from rasen.helix.nulls import smooth_path
from rasen.helix.reduction import compress, gram
from rasen.stats import sequential_p

RIDGE = 1.0  # of the probe, in units of the mean eigenvalue; less fits noise, as neighbouring
# classes are close on a circle


def held_out_octave(features: np.ndarray, ridge: float = RIDGE) -> float:
    """Accuracy of a linear probe of pitch class on an octave it was not trained on.

    features (instruments, keys, dim), or (keys, dim) for one. The lowest and the highest octave
    are held out in turn; the result is the mean of the two accuracies, and chance is 1/12.
    Ridge regression onto the twelve classes in closed form, each instrument's mean over its
    training keys subtracted. Two shortcuts without an octave are excluded:

    - an inner octave is never held out: the mean of C3 and C5 is C4 on any straight line;
    - the directions in which the training octaves differ (pitch height) are projected out first.
      Inside an octave height grows with pitch class, and extrapolated it would decide alone.
    """
    features = np.asarray(features, dtype=np.float64)
    features = features[None] if features.ndim == 2 else features
    keys = features.shape[1]
    if keys < 2 * PERIOD:
        raise ValueError(f"a held-out octave needs at least two of 12 keys; got {keys} keys")
    if not np.isfinite(features).all():
        return np.nan
    return float(_accuracy(_compressed(features)[None], ridge)[0])


def held_out_p(features: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """How often smooth paths without an octave reach the accuracy of features: a p-value.

    features (instruments, keys, dim). The surrogates have a path that the instruments share, as
    smooth and noisy as the features' mean, and deviations of each instrument as smooth and noisy as
    the features' own; at most `draws` of them, fewer when many reach it.
    """
    features = np.asarray(features, dtype=np.float64)
    if not np.isfinite(features).all():
        return np.nan
    accuracy = held_out_octave(features)
    instruments = len(features)
    centred = features - features.mean(axis=1, keepdims=True)
    mean = centred.mean(axis=0)
    shared = smooth_path(gram(mean))
    # a single instrument has no deviations; those of few are smaller by their share of the mean
    scale = instruments / max(instruments - 1, 1)
    own = smooth_path(gram(centred - mean).mean(axis=0) * scale) if instruments > 1 else None

    def as_accurate(count):
        paths = shared.draw(count, rng)[:, None].repeat(instruments, axis=1)
        if own is not None:
            paths = np.concatenate([paths, own.draw((count, instruments), rng)], axis=-1)
        return _accuracy(paths, RIDGE) >= accuracy - 1e-12

    return sequential_p(as_accurate, draws, block=25)


def _accuracy(features, ridge):
    """Accuracies (sets,) of features (sets, instruments, keys, dim)."""
    sets, instruments, keys, dim = features.shape
    octave, pitch = np.divmod(np.arange(keys), PERIOD)
    last = keys // PERIOD - 1  # an octave that is not complete is left out
    accuracy = []
    for held_out in (0, last):
        train, test = (octave != held_out) & (octave <= last), octave == held_out
        timbre = features[:, :, train].mean(axis=2, keepdims=True)
        seen = (features[:, :, train] - timbre).reshape(sets, -1, dim)
        unseen = (features[:, :, test] - timbre).reshape(sets, -1, dim)
        means = seen.reshape(sets, instruments, -1, PERIOD, dim).mean(axis=(1, 3))
        means -= means.mean(axis=1, keepdims=True)
        _, norms, heights = np.linalg.svd(means, full_matrices=False)
        heights = heights * (norms > 1e-9 * norms[:, :1])[..., None]
        seen, unseen = (
            notes - notes @ heights.transpose(0, 2, 1) @ heights for notes in (seen, unseen)
        )
        target = np.tile(np.eye(PERIOD)[pitch[train]], (instruments, 1)) - 1 / PERIOD
        predicted = unseen @ _ridge_weights(seen, target, ridge)
        right = predicted.argmax(axis=2) == np.tile(pitch[test], instruments)
        accuracy.append(right.mean(axis=1))
    return np.mean(accuracy, axis=0)


def _ridge_weights(x, target, ridge):
    """Weights (sets, dim, classes) from the smaller normal equations of x (sets, samples, dim)."""
    _, samples, dim = x.shape
    across = x.transpose(0, 2, 1)
    fewer = min(samples, dim)
    penalty = ridge * (x**2).sum(axis=(1, 2)) / fewer + np.finfo(float).tiny
    diagonal = penalty[:, None, None] * np.eye(fewer)
    if dim <= samples:
        return np.linalg.solve(across @ x + diagonal, across @ target)
    return across @ np.linalg.solve(x @ across + diagonal, np.tile(target, (len(x), 1, 1)))


def _compressed(features):
    """Features (instruments, keys, dim) in as many dimensions as there are notes, if fewer."""
    instruments, keys, dim = features.shape
    if dim <= instruments * keys:
        return features
    return compress(features.reshape(-1, dim)).reshape(instruments, keys, -1)
