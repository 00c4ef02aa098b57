"""Proof that a fit is the global best: an upper bound on R2 over *all* helices.

Public API, to certify a fit: no job of the workflow calls it, only tests and benchmarks do.

Branch and bound over the axis c and the scaled frequency s. A cell of axes and frequencies is
compared with its centre by a Taylor expansion along the rotation that carries the centre's axis
c to another: with the turn phi of (u, v) still open, value and gradient are both of the form
a + Re(b exp(2 i phi)), so

    max over phi of (value + gradient . move)  =  a + |b|,  a and b affine in the move,

which is convex in the move and hence largest at a corner of the cell. The remainder of the
expansion is at most half the largest second derivative, which `_second_derivative_bound` gives for
all helices at once. Cells that cannot exceed the fit by more than `gap` are dropped, the others
divided, until none is left. The bound is deterministic and rigorous up to rounding (1e-12).

The search and the bound share the tables of `landscape.py`. So that a mistake there cannot pass
unseen, cells of every size are checked by least squares on the notes themselves: F at the centre,
and the bound at a place inside.
"""

from collections.abc import Callable

import numpy as np

from rasen.helix.fitting import LITERATURE, Omega, fit, omega_range
from rasen.helix.landscape import Problems, centred_keys, moments, tabulate
from rasen.helix.radius import CONSTANT_RADIUS, LINEAR_RADIUS

CELLS = 20_000  # evaluated at a time
CHECKED = 20  # cells of every size whose numbers are computed a second time, from the notes


def upper_bound(
    x: np.ndarray, omega: Omega = LITERATURE, radius: str = "cone", gap: float = 1e-6,
    max_cells: int = 5_000_000,
) -> float:  # fmt: skip
    """A number that R2 of no helix through x (keys, 3) exceeds.

    It is at most fit(x).r2 + gap exactly if the fit is the global best to within gap.
    radius "cone" or "cylinder". No cell is divided any more after `max_cells`; the bound that is
    then returned is still true, but looser.
    """
    if radius not in ("cone", "cylinder"):
        raise ValueError(f"radius={radius!r}: the bound is for 'cone' and 'cylinder'")
    x = np.asarray(x, dtype=np.float64)
    best = float(fit(x, omega, radius).r2)
    x = x / np.sqrt((x**2).sum())  # now R2 is F itself
    problem = tabulate(x[None])
    low, high = (bound * problem.scale for bound in omega_range(omega))
    radius_basis = LINEAR_RADIUS if radius == "cone" else CONSTANT_RADIUS
    second_derivative = _second_derivative_bound(x)

    cells, half_widths = _first_cells(low, high)
    proven, evaluated = best, 0
    while len(cells):
        evaluated += len(cells)
        blocks = [
            _cell_bounds(
                cells[first : first + CELLS], half_widths, problem, radius_basis, second_derivative
            )
            for first in range(0, len(cells), CELLS)
        ]
        bound, attained = np.concatenate(blocks, axis=1)
        _check_by_residuals(x, problem, radius, cells, half_widths, bound, attained)
        best = max(best, attained.max())  # a better helix than the fit: the proof has failed
        undecided = bound > best + gap
        proven = max(proven, *bound[~undecided].max(initial=best, keepdims=True))
        if evaluated > max_cells:
            return max(proven, bound.max())
        cells, half_widths = _divide(cells[undecided], half_widths)
    return proven


def _check_by_residuals(x, problem, radius, cells, half_widths, bound, attained):
    """Raise where F or its bound is not what least squares on x (keys, 3) gives."""
    rng = np.random.default_rng(len(cells))
    for index in rng.choice(len(cells), size=min(CHECKED, len(cells)), replace=False):
        inside = cells[index] + rng.uniform(-1, 1, 4) * np.array([0, *half_widths[[0, 0, 1]]])
        at_centre, there = (
            _share_by_least_squares(x, cell, problem.scale, radius)
            for cell in (cells[index], inside)
        )
        if abs(at_centre - attained[index]) > 1e-9 or there > bound[index] + 1e-9:
            raise ArithmeticError(
                f"upper_bound: the tables of landscape.py give {attained[index]:.6g} of the notes' "
                f"square norm, bounded by {bound[index]:.6g}; their residuals give "
                f"{at_centre:.6g}, and {there:.6g} beside it. No proof"
            )


def _share_by_least_squares(x, cell, scale, radius):
    """The share of x that the best helix with a cell's axis and frequency explains.

    Written out as in eq. (1), for three turns about the axis: the share is a constant plus a sine
    of twice the turn, and so known for every turn.
    """
    c = _directions(*cell[:3])
    across = np.linalg.svd(c[None])[2][1:]
    across[1] *= np.linalg.det(np.stack([c, *across]))
    key = np.arange(len(x)) - (len(x) - 1) / 2
    shares = []
    for turn in np.pi / 3 * np.arange(3):
        angle = cell[3] / scale * key + turn
        around = np.cos(angle)[:, None] * across[0] + np.sin(angle)[:, None] * across[1]
        curves = [np.outer(np.ones_like(key), c), np.outer(key, c), around]
        if radius == "cone":
            curves.append(key[:, None] * around)
        columns = np.stack([curve.ravel() for curve in curves], axis=1)
        left = x.ravel() - columns @ np.linalg.lstsq(columns, x.ravel())[0]
        shares.append(1 - left @ left)
    constant, harmonic, _ = np.abs(np.fft.fft(shares)) / 3
    return constant + 2 * harmonic


def _first_cells(low, high):
    """Cells (face, a, b, s): six faces of a cube around the sphere; and their half widths (2,)."""
    grid = np.linspace(-0.75, 0.75, 4)
    slices = max(1, int(np.ceil((high - low) / 0.5)))
    half_s = (high - low) / slices / 2
    s = low + half_s * (2 * np.arange(slices) + 1)
    coordinates = np.meshgrid(np.arange(6), grid, grid, s, indexing="ij")
    return np.stack(coordinates, axis=-1).reshape(-1, 4), np.array([0.25, half_s])


def _divide(cells, half_widths):
    """Every cell in 4, or in 8 where the frequency is free."""
    half_widths = half_widths / 2
    signs = np.array([-1, 1])
    moves = np.array(np.meshgrid(0, signs, signs, signs if half_widths[1] else 0)).reshape(4, -1).T
    step = moves * np.array([0, half_widths[0], half_widths[0], half_widths[1]])
    return (cells[:, None] + step).reshape(-1, 4), half_widths


def _directions(face, a, b):
    """Points of the cube's faces, on the sphere: (..., 3)."""
    face, a, b = np.broadcast_arrays(face.astype(int), a, b)
    point = np.stack([np.where(face < 3, 1.0, -1.0), a, b], axis=-1)
    place = (np.arange(3) - (face % 3)[..., None]) % 3
    point = np.take_along_axis(point, place, axis=-1)
    return point / np.linalg.norm(point, axis=-1, keepdims=True)


def _cell_bounds(
    cells: np.ndarray, half_widths: np.ndarray, problem: Problems, radius_basis: np.ndarray,
    second_derivative: Callable[[np.ndarray, float], np.ndarray],
) -> np.ndarray:  # fmt: skip
    """The most that F may reach in each cell, and what it does reach at the centre: (2, cells)."""
    face, a, b, s = cells.T
    c = _directions(face, a, b)
    e = np.cross(c, np.eye(3)[np.argmin(np.abs(c), axis=1)])
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    f = np.cross(c, e)

    # the corners, projected from the sphere's centre on the plane that touches it at c: a
    # polygon that holds all moves of the cell, as rotations by an angle shorter than its tangent
    corners = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)]) * half_widths[0]
    corner = _directions(face[:, None], a[:, None] + corners[:, 0], b[:, None] + corners[:, 1])
    along = np.einsum("nkd,nd->nk", corner, c)
    move = np.stack([np.einsum("nkd,nd->nk", corner, tangent) / along for tangent in (e, f)])
    angle = np.arccos(along.min(axis=1).clip(-1, 1))

    frequencies, inverse = np.unique(s, return_inverse=True)
    even, odd = (np.broadcast_to(table, (len(frequencies), *table.shape[1:]))
                 for table in (problem.even, problem.odd))  # fmt: skip
    at = moments(even, odd, problem.tau, frequencies)
    z = at[:, :, :4] + 1j * at[:, :, 4:]
    z = np.stack([z[:, :, :2], 1j * z[:, :, 1:3]], axis=0)  # z_k and its derivative by s
    z = np.einsum("jk,mndk->mjnd", radius_basis, z)[:, :, inverse]
    on_c, on_e, on_f = (np.einsum("mjnd,nd->mjn", z, direction) for direction in (c, e, f))
    sigma = on_e - 1j * on_f  # and its derivative by s; turning the axis towards (de, df):
    value, by_s = sigma
    by_e, by_f = -on_c[0], 1j * on_c[0]

    # F = a + Re(b exp(2 i phi)) and its derivatives by e, f and s
    trend = problem.trend[0]
    height, height_e, height_f = c @ trend, e @ trend, f @ trend
    value_a = (height**2).sum(axis=1) + (np.abs(value) ** 2).sum(axis=0) / 2
    value_b = (value**2).sum(axis=0) / 2
    gradient_a = [
        2 * (height * height_e).sum(axis=1) + (value * by_e.conj()).real.sum(axis=0),
        2 * (height * height_f).sum(axis=1) + (value * by_f.conj()).real.sum(axis=0),
        (value * by_s.conj()).real.sum(axis=0),
    ]
    gradient_b = [(value * derivative).sum(axis=0) for derivative in (by_e, by_f, by_s)]

    bound = np.full(len(cells), -np.inf)
    for k in range(4):
        for change_of_s in (-half_widths[1], half_widths[1]):
            moved = (move[0, :, k], move[1, :, k], change_of_s)
            a_there = value_a + sum(m * d for m, d in zip(moved, gradient_a, strict=True))
            b_there = value_b + sum(m * d for m, d in zip(moved, gradient_b, strict=True))
            bound = np.maximum(bound, a_there + np.abs(b_there))
    remainder = second_derivative(angle, half_widths[1]) / 2
    return np.stack([bound + remainder, value_a + np.abs(value_b)])


def _second_derivative_bound(x: np.ndarray) -> Callable[[np.ndarray, float], np.ndarray]:
    """A bound on the second derivative of F along any move by an angle and a frequency.

    x has sum |x|^2 = 1. All terms are scalar products of x with functions of the key of known
    size. For a move by angle r and frequency d, with y_k the coefficients of the radius and tau
    the scaled keys:

        |y| <= plane      |y'| <= r line + d q4 plane
        |y''| <= r^2 line + 2 r d q4 line + d^2 q6 plane

    line^2 and plane^2 are the most of x that one and two directions hold, and q4^2, q6^2 the
    means of tau^4, tau^6. The height part adds at most 2 r^2 (its share along one direction).
    """
    variance = np.linalg.eigvalsh(x.T @ x)[::-1]
    line, plane = np.sqrt(variance[0]), np.sqrt(variance[:2].sum())
    tau, _ = centred_keys(len(x))
    q4, q6 = np.sqrt(np.mean(tau**4)), np.sqrt(np.mean(tau**6))
    trend = np.stack([np.ones_like(tau), tau]) @ x / np.sqrt(len(x))
    height = np.linalg.norm(trend, 2) ** 2

    def second_derivative(r, d):
        first = r * line + d * q4 * plane
        second = r**2 * line + 2 * r * d * q4 * line + d**2 * q6 * plane
        return 2 * r**2 * height + 2 * first**2 + 2 * plane * second

    return second_derivative
