"""Fit the helix of eq. (1) exactly: `fit` for points in three dimensions, `fit_triples` for more.

Everything comes back as one `Helix`, a record of arrays whose shape is the batch's.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntFlag
from typing import Any

import numpy as np

from rasen.helix.landscape import centred_keys, tabulate
from rasen.helix.radius import RADIUS_RULES, max_single_sign_ratio
from rasen.helix.reduction import RANK_TOLERANCE, triples
from rasen.helix.search import maximise

Omega = float | tuple[float, float]  # radians per key: a number, or (low, high)

LITERATURE = (np.pi / 6, np.pi / 2)  # 12 to 4 keys per turn, as published
OCTAVE = 2 * np.pi / 12
FEWEST_KEYS = 8  # nine parameters, eight of them not redundant, for 3 x 8 numbers
NOT_AN_OCTAVE = 0.5  # keys by which the period may differ from 12
CHUNK = 1000  # problems at a time: fewer waste time between numpy's calls, more need memory


class Flag(IntFlag):
    """Warnings about a fit. Combined by `|` in `Helix.flags`; 0 is a clean fit."""

    OMEGA_LOW = 1  # omega is at its lower bound: a slower curve would fit better
    OMEGA_HIGH = 2  # omega is at its upper bound
    NOT_OCTAVE = 4  # omega was free and its period is not within half a key of 12
    RADIUS_SIGN = 8  # the radius changes sign inside the keys: a double cone
    NOT_FINITE = 16  # x holds a NaN or an infinity: the row is NaN
    CONSTANT = 32  # x does not vary over the keys: the row is NaN
    PLANAR = 64  # x varies in fewer than three dimensions: the row is NaN

    NO_FIT = NOT_FINITE | CONSTANT | PLANAR


def describe_flags(flags: int | np.ndarray) -> str:
    """Flags in words, for tables: 0 -> "", 9 -> "omega low, radius sign"."""
    return ", ".join(str(flag.name).lower().replace("_", " ") for flag in Flag(int(flags)))


@dataclass(repr=False, frozen=True)
class Helix:
    """Fitted helices; (...) is the shape of the batch, () for one problem.

    The curve is  y(t) = height(t) axis + radius(t) (cos(omega t) cosine + sin(omega t) sine)
    with height(t) = level + rise (t - middle), radius(t) = radius + radius_slope (t - middle),
    keys t = 0 ... keys - 1, middle = (keys - 1) / 2. (t0 of eq. (1) is redundant: it is 0 here.)
    """

    helicality: np.ndarray  # (...) keys / sum |x - y|^2, eq. (2); it depends on the scale of x
    r2: np.ndarray  # (...) 1 - sum |x - y|^2 / sum |x|^2; it does not
    height: np.ndarray  # (...) part of r2 along the axis
    chroma: np.ndarray  # (...) part of r2 around the axis; height + chroma = r2
    omega: np.ndarray  # (...) radians per key, > 0
    period: np.ndarray  # (...) keys per turn, 2 pi / omega
    rise: np.ndarray  # (...) growth of the height per key, >= 0: the axis points upward in pitch
    level: np.ndarray  # (...) height at the middle key
    radius: np.ndarray  # (...) radius at the middle key, >= 0
    radius_slope: np.ndarray  # (...) growth of the radius per key
    chirality: np.ndarray  # (...) +1 right-handed, -1 left-handed; of PCA scores it is arbitrary
    axis: np.ndarray  # (..., 3) unit vector c
    cosine: np.ndarray  # (..., 3) unit vector u
    sine: np.ndarray  # (..., 3) unit vector v
    flags: np.ndarray  # (...) see `Flag`
    keys: int

    def __repr__(self) -> str:
        if self.no_fit.all():
            return f"Helix(no fit of {self.r2.shape})"
        names = ("helicality", "r2", "period")
        medians = ", ".join(f"{name} {np.nanmedian(getattr(self, name)):.4g}" for name in names)
        if self.r2.shape:
            return f"Helix({medians}; median of {self.r2.shape})"
        return f"Helix({medians}; {describe_flags(self.flags) or 'clean'})"

    @property
    def no_fit(self) -> np.ndarray:
        """Rows that are NaN because the input is degenerate (the flags say why)."""
        return (self.flags & Flag.NO_FIT) != 0

    def curve(self, keys: np.ndarray | list[float] | None = None) -> np.ndarray:
        """Points of the fitted curve at the keys given (default: all): (..., keys, 3)."""
        t = np.arange(self.keys) if keys is None else np.asarray(keys, dtype=float)
        from_middle = t - (self.keys - 1) / 2
        height = self.level[..., None] + self.rise[..., None] * from_middle
        radius = self.radius[..., None] + self.radius_slope[..., None] * from_middle
        angle = self.omega[..., None] * t
        return (
            height[..., None] * self.axis[..., None, :]
            + (radius * np.cos(angle))[..., None] * self.cosine[..., None, :]
            + (radius * np.sin(angle))[..., None] * self.sine[..., None, :]
        )

    def __getitem__(self, index: Any) -> "Helix":
        """Index the leading axes of the batch: `helix[0]`, `helix[helix.r2 > 0.5]`."""
        return self._map_arrays(lambda array: array[index])

    def _map_arrays(self, function: Callable[[np.ndarray], np.ndarray]) -> "Helix":
        arrays = {name: np.asarray(function(getattr(self, name))) for name in ARRAYS}
        return Helix(**arrays, keys=self.keys)


ARRAYS = [field.name for field in fields(Helix) if field.name != "keys"]


def fit(x: np.ndarray, omega: Omega = LITERATURE, radius: str = "cone") -> Helix:
    """The globally best helix through x (..., keys, 3), one for each problem of the batch.

    omega    (low, high): the angle per key is free between them, 0 < low <= high <= pi; a number:
             it is fixed. Both chiralities are always searched.
    radius   "cone" as in eq. (1), "positive" (no change of sign) or "cylinder": `radius.py`.

    x is fitted about the origin, where `reduce` has put the mean: eq. (1) has no offset across
    the axis. Degenerate problems (NaN, constant, fewer than three dimensions) give NaN rows with
    a flag; repeated points are no trouble. Fewer than 8 keys raise a ValueError.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim < 2 or x.shape[-1] != 3:
        raise ValueError(f"x needs the shape (..., keys, 3); got {x.shape}. Use reduce() first")
    *batch, keys, _ = x.shape
    if keys < FEWEST_KEYS:
        raise ValueError(f"a helix needs at least {FEWEST_KEYS} keys; got {keys}")
    if radius not in RADIUS_RULES:
        raise ValueError(f"radius={radius!r}: one of {', '.join(RADIUS_RULES)}")
    low, high = omega_range(omega)

    flat = x.reshape(-1, keys, 3)
    flags = _degeneracy(flat)
    helix = _nan_helix(len(flat), keys, flags)
    good = np.flatnonzero(flags == 0)
    for first in range(0, len(good), CHUNK):
        _solve(flat, good[first : first + CHUNK], low, high, radius, helix)
    return helix._map_arrays(lambda array: array.reshape((*batch, *array.shape[1:])))


def fit_triples(
    scores: np.ndarray, omega: Omega = LITERATURE, radius: str = "cone"
) -> tuple[Helix, np.ndarray]:
    """The best helix over all triples of components: (Helix, triples (..., 3)).

    scores (..., keys, components): `reduce(features, components=5)` for the published ten.
    The best of ten is a larger number than the first of ten also where there is no helix:
    compare it with `random_baseline(..., components=5)`.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim < 2 or scores.shape[-1] < 3:
        raise ValueError(f"scores need the shape (..., keys, 3 or more); got {scores.shape}")
    choices = triples(scores.shape[-1])
    fits = fit(np.moveaxis(scores[..., choices], -2, 0), omega, radius)  # (triples, ...)
    best = np.argmax(np.nan_to_num(fits.helicality, nan=-1.0), axis=0)
    places = np.indices(best.shape)
    return fits[(best, *places)], choices[best]


def omega_range(omega: Omega) -> tuple[float, float]:
    """omega as a checked (low, high) pair."""
    low, high = omega if isinstance(omega, tuple | list | np.ndarray) else (omega, omega)
    if not 0 < low <= high <= np.pi:
        raise ValueError(
            f"omega={omega!r}: a number or (low, high) with 0 < low <= high <= pi, in radians per"
            " key (2 pi / 12 is one turn per octave)"
        )
    return float(low), float(high)


def _degeneracy(x):
    """Flags of the problems (problems, keys, 3) that have no fit."""
    finite = np.isfinite(x).all(axis=(1, 2))
    safe = np.where(finite[:, None, None], x, 0.0)
    centred = safe - safe.mean(axis=1, keepdims=True)
    variance = np.linalg.eigvalsh(np.swapaxes(centred, 1, 2) @ centred)
    constant = variance[:, 2] <= RANK_TOLERANCE**2 * np.einsum("ptd,ptd->p", safe, safe)
    planar = variance[:, 0] <= RANK_TOLERANCE * variance[:, 2]
    flags = np.where(constant, Flag.CONSTANT, np.where(planar, Flag.PLANAR, 0))
    return np.where(finite, flags, Flag.NOT_FINITE).astype(np.uint8)


def _nan_helix(problems, keys, flags):
    """A Helix of NaN rows."""
    vectors = {"axis", "cosine", "sine"}
    arrays = {
        name: np.full((problems, 3) if name in vectors else problems, np.nan)
        for name in ARRAYS
        if name != "flags"
    }
    return Helix(**arrays, flags=flags, keys=keys)


def _solve(x, rows, low, high, rule, helix):
    """Fit the problems `rows` of x and write the fits into the arrays of `helix`."""
    x = x[rows]
    keys = x.shape[1]
    # the search wants numbers of ordinary size; its result does not depend on the scale
    rms = np.sqrt(np.einsum("ptd,ptd->p", x, x) / keys)
    problems = tabulate(x / rms[:, None, None])
    tau, scale = centred_keys(keys)
    frame, s, height_and_radius = maximise(problems, low * scale, high * scale, rule)

    height, y = height_and_radius[:, 0], height_and_radius[:, 1:].T.copy()
    if rule == "cylinder":
        y[1] = 0
    elif rule == "positive":
        y = _project_on_single_sign(y, max_single_sign_ratio(tau))
    level, rise = np.einsum("pdk,pd->kp", problems.trend, frame[:, :, 0])
    per_key = np.array([1, 1 / scale])[:, None] * rms / np.sqrt(keys)
    upward, outward = np.where(rise < 0, -1, 1), np.where(y[0] < 0, -1, 1)
    level, rise = upward * per_key * (level, rise)
    radius, radius_slope = outward * per_key * y

    c, u, v = frame.transpose(2, 0, 1)
    start = (s / scale * (keys - 1) / 2)[:, None]  # the search's angle is 0 at the middle key
    cosine = outward[:, None] * (np.cos(start) * u - np.sin(start) * v)
    sine = outward[:, None] * (np.sin(start) * u + np.cos(start) * v)
    axis = upward[:, None] * c

    sign_changes = np.abs(radius_slope) * (keys - 1) / 2 > radius * (1 + 1e-9)
    flags = np.where(sign_changes, Flag.RADIUS_SIGN, 0)
    period = 2 * np.pi * scale / s
    if low < high:
        flags |= np.where(s <= low * scale, Flag.OMEGA_LOW, 0)
        flags |= np.where(s >= high * scale, Flag.OMEGA_HIGH, 0)
        flags |= np.where(np.abs(period - 12) > NOT_AN_OCTAVE, Flag.NOT_OCTAVE, 0)

    helix.height[rows] = height / problems.total
    helix.omega[rows], helix.period[rows] = s / scale, period
    helix.rise[rows], helix.level[rows] = rise, level
    helix.radius[rows], helix.radius_slope[rows] = radius, radius_slope
    helix.chirality[rows] = np.sign(np.linalg.det(np.stack([axis, cosine, sine], axis=1)))
    helix.axis[rows], helix.cosine[rows], helix.sine[rows] = axis, cosine, sine
    helix.flags[rows] = flags.astype(np.uint8)
    # from the residual itself: total - F would lose the digits of a nearly perfect fit
    error = ((x - helix[rows].curve()) ** 2).sum(axis=(1, 2))
    with np.errstate(divide="ignore"):
        helix.helicality[rows] = keys / error
    helix.r2[rows] = 1 - error / (keys * rms**2)
    helix.chroma[rows] = helix.r2[rows] - helix.height[rows]


def _project_on_single_sign(y, max_ratio):
    """Project radius coefficients y (2, rows) on the functions that keep one sign."""
    border = np.stack([np.ones_like(y[0]), np.where(y[0] * y[1] < 0, -max_ratio, max_ratio)])
    border /= np.hypot(1, max_ratio)
    outside = np.abs(y[1]) > max_ratio * np.abs(y[0])
    return np.where(outside, (y * border).sum(axis=0) * border, y)
