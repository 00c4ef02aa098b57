"""Proof that a fit is the global best: an upper bound on R2 over *all* helices.

Branch and bound over the axis c and the scaled frequency s. A cell of axes and frequencies is
compared with its centre by a Taylor expansion along the rotation that carries the centre's axis
c to another: with the turn phi of (u, v) still open, value and gradient are both of the form
a + Re(b exp(2 i phi)), so

    max over phi of (value + gradient . move)  =  a + |b|,  a and b affine in the move,

which is convex in the move and hence largest at a corner of the cell. The rest of the expansion
is at most half the largest second derivative, which `_curvature` bounds for all helices at once.
Cells that cannot beat the fit by more than `gap` are dropped, the others divided, until none is
left. Nothing here is statistical and nothing is left to a tolerance but rounding (1e-12).
"""

import numpy as np

from rasen.helix.fitting import LITERATURE, bounds, fit
from rasen.helix.landscape import centred_keys, moments, paths
from rasen.helix.radius import BOTH, CONSTANT

CELLS = 20_000  # evaluated at a time


def upper_bound(x, omega=LITERATURE, radius="cone", gap=1e-6, most=5_000_000):
    """A number that R2 of no helix through x (keys, 3) exceeds.

    It is at most fit(x).r2 + gap exactly if the fit is the global best to within gap.
    radius "cone" or "cylinder". Gives up dividing after `most` cells; the bound that it then
    returns is still true, but looser.
    """
    if radius not in ("cone", "cylinder"):
        raise ValueError(f"radius={radius!r}: the bound is for 'cone' and 'cylinder'")
    x = np.asarray(x, dtype=np.float64)
    best = float(fit(x, omega, radius).r2)
    x = x / np.sqrt((x**2).sum())  # now R2 is F itself
    problem = paths(x[None])
    low, high = (each * problem.scale for each in bounds(omega))
    windows = BOTH if radius == "cone" else CONSTANT
    curvature = _curvature(x)

    cells, half = _first_cells(low, high)
    proven, spent = best, 0
    while len(cells):
        spent += len(cells)
        parts = [
            _cell_bounds(cells[first : first + CELLS], half, problem, windows, curvature)
            for first in range(0, len(cells), CELLS)
        ]
        bound, attained = np.concatenate(parts, axis=1)
        best = max(best, attained.max())  # a better helix than the fit: the proof has failed
        open_still = bound > best + gap
        proven = max(proven, *bound[~open_still].max(initial=best, keepdims=True))
        if spent > most:
            return max(proven, bound.max())
        cells, half = _divided(cells[open_still], half)
    return proven


def _first_cells(low, high):
    """Cells (face, a, b, s): six faces of a cube around the sphere; and their half widths (2,)."""
    grid = np.linspace(-0.75, 0.75, 4)
    slices = max(1, int(np.ceil((high - low) / 0.5)))
    half_s = (high - low) / slices / 2
    s = low + half_s * (2 * np.arange(slices) + 1)
    each = np.meshgrid(np.arange(6), grid, grid, s, indexing="ij")
    return np.stack(each, axis=-1).reshape(-1, 4), np.array([0.25, half_s])


def _divided(cells, half):
    """Every cell in 4, or in 8 where the frequency is free."""
    half = half / 2
    signs = np.array([-1, 1])
    moves = np.array(np.meshgrid(0, signs, signs, signs if half[1] else 0)).reshape(4, -1).T
    step = moves * np.array([0, half[0], half[0], half[1]])
    return (cells[:, None] + step).reshape(-1, 4), half


def _directions(face, a, b):
    """Points of the cube's faces, on the sphere: (..., 3)."""
    face, a, b = np.broadcast_arrays(face.astype(int), a, b)
    point = np.stack([np.where(face < 3, 1.0, -1.0), a, b], axis=-1)
    place = (np.arange(3) - (face % 3)[..., None]) % 3
    point = np.take_along_axis(point, place, axis=-1)
    return point / np.linalg.norm(point, axis=-1, keepdims=True)


def _cell_bounds(cells, half, problem, windows, curvature):
    """The most that F may reach in each cell, and what it does reach at the centre: (2, cells)."""
    face, a, b, s = cells.T
    c = _directions(face, a, b)
    e = np.cross(c, np.eye(3)[np.argmin(np.abs(c), axis=1)])
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    f = np.cross(c, e)

    # the corners, projected from the sphere's centre on the plane that touches it at c: a
    # polygon that holds all moves of the cell, as rotations by an angle shorter than its tangent
    corners = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)]) * half[0]
    corner = _directions(face[:, None], a[:, None] + corners[:, 0], b[:, None] + corners[:, 1])
    along = np.einsum("nkd,nd->nk", corner, c)
    move = np.stack([np.einsum("nkd,nd->nk", corner, each) / along for each in (e, f)])
    reach = np.arccos(along.min(axis=1).clip(-1, 1))

    which, inverse = np.unique(s, return_inverse=True)
    even, odd = (np.broadcast_to(each, (len(which), *each.shape[1:]))
                 for each in (problem.even, problem.odd))  # fmt: skip
    at = moments(even, odd, problem.tau, which)
    z = at[:, :, :4] + 1j * at[:, :, 4:]
    z = np.stack([z[:, :, :2], 1j * z[:, :, 1:3]], axis=0)  # z_k and its derivative by s
    z = np.einsum("jk,mndk->mjnd", windows, z)[:, :, inverse]
    on_c, on_e, on_f = (np.einsum("mjnd,nd->mjn", z, each) for each in (c, e, f))
    sigma = on_e - 1j * on_f  # and its derivative by s; turning the axis towards (de, df):
    value, by_s = sigma
    by_e, by_f = -on_c[0], 1j * on_c[0]

    line = problem.line[0]
    height, height_e, height_f = c @ line, e @ line, f @ line
    level = (height**2).sum(axis=1) + (np.abs(value) ** 2).sum(axis=0) / 2
    swing = (value**2).sum(axis=0) / 2
    slopes = [
        2 * (height * height_e).sum(axis=1) + (value * by_e.conj()).real.sum(axis=0),
        2 * (height * height_f).sum(axis=1) + (value * by_f.conj()).real.sum(axis=0),
        (value * by_s.conj()).real.sum(axis=0),
    ]
    swings = [(value * each).sum(axis=0) for each in (by_e, by_f, by_s)]

    bound = np.full(len(cells), -np.inf)
    for k in range(4):
        for by in (-half[1], half[1]):
            moved = (move[0, :, k], move[1, :, k], by)
            real = level + sum(m * each for m, each in zip(moved, slopes, strict=True))
            turning = swing + sum(m * each for m, each in zip(moved, swings, strict=True))
            bound = np.maximum(bound, real + np.abs(turning))
    return np.stack([bound + curvature(reach, half[1]) / 2, level + np.abs(swing)])


def _curvature(x):
    """Largest second derivative of F along any move by an angle and a frequency, sum |x|^2 = 1.

    All terms are scalar products of x with functions of the key of known size. For a move by
    angle r and frequency d, with y_k the coefficients of the radius and tau the scaled keys:

        |y| <= plane      |y'| <= r line + d q4 plane
        |y''| <= r^2 line + 2 r d q4 line + d^2 q6 plane

    line^2 and plane^2 are the most of x that one and two directions hold, and q4^2, q6^2 the
    means of tau^4, tau^6. The height part adds at most 2 r^2 (its share along one direction).
    """
    spread = np.linalg.eigvalsh(x.T @ x)[::-1]
    line, plane = np.sqrt(spread[0]), np.sqrt(spread[:2].sum())
    tau, _ = centred_keys(len(x))
    q4, q6 = np.sqrt(np.mean(tau**4)), np.sqrt(np.mean(tau**6))
    trend = np.stack([np.ones_like(tau), tau]) @ x / np.sqrt(len(x))
    height = np.linalg.norm(trend, 2) ** 2

    def curvature(r, d):
        first = r * line + d * q4 * plane
        second = r**2 * line + 2 * r * d * q4 * line + d**2 * q6 * plane
        return 2 * r**2 * height + 2 * first**2 + 2 * plane * second

    return curvature
