"""Does the helix of one instrument describe another?"""

import numpy as np

from rasen.helix.fitting import LITERATURE, Omega, fit


def transferred_r2(
    features: np.ndarray, omega: Omega = LITERATURE, radius: str = "cone"
) -> np.ndarray:
    """R2 of every instrument's helix on every other instrument's notes: (instruments, instruments).

    features (instruments, keys, dim), each centred over its keys. Row i: the three components of
    instrument i, standardised by its own variance, and the helix through them; column j: the notes
    of instrument j in these components, and the share of their square norm that the curve
    explains. The diagonal is the fit itself. NaN where an instrument has no fit.
    """
    features = np.asarray(features, dtype=np.float64)
    instruments, keys, _ = features.shape
    result = np.full((instruments, instruments), np.nan)
    if not np.isfinite(features).all():
        return result
    centred = features - features.mean(axis=1, keepdims=True)
    for i, own in enumerate(centred):
        _, norms, directions = np.linalg.svd(own, full_matrices=False)
        if len(norms) < 3 or norms[2] <= 1e-6 * norms[0]:
            continue
        basis = directions[:3].T * (np.sqrt(keys) / norms[:3])  # unit variance over its own keys
        helix = fit(own @ basis, omega, radius)
        notes = centred @ basis
        error = ((notes - helix.curve()) ** 2).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            result[i] = 1 - error / (notes**2).sum(axis=(1, 2))
    return result


def mean_of_others(matrix: np.ndarray) -> float:
    """Mean of a square matrix without its diagonal; NaN of one instrument."""
    others = matrix[~np.eye(len(matrix), dtype=bool)]
    return float(np.nanmean(others)) if np.isfinite(others).any() else np.nan
