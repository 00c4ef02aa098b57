"""The global maximum of F: a grid over axis and frequency, then Newton from its best peaks.

With the axis c fixed, the best turn of (u, v) is closed form (`radius.best_turn`), so the grid
has three dimensions: c on the sphere (both signs: they are the two chiralities) and s. F is
smooth on the scale of the grid, and every promising local maximum of the grid is climbed.

The constants below were chosen against `bound.py`, which proves a fit to be the global best, and
against grids many times finer; `tests/unit/test_helix.py` repeats both on a smaller scale.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.spatial import ConvexHull

from rasen.helix.landscape import (
    Problems,
    moments,
    turn_to_best,
    value_gradient_hessian,
)
from rasen.helix.radius import (
    CONSTANT_RADIUS,
    LINEAR_RADIUS,
    best_chroma,
    border_bases,
    max_single_sign_ratio,
)

DIRECTIONS = 192  # neighbours on the sphere are 0.25 rad apart
POINTS_PER_CYCLE = 8  # frequencies per resolution cell, 2 pi / keys
PROMISING = 0.2  # peaks of the grid within this share of the best are climbed
CLOSE = 0.04  # and so are peaks of a single slice of the grid within this share
BLOCK = 16  # problems whose grids are in the processor's cache together
STRAIGHT = 0.9  # share of a straight line above which its own direction is tried as well
CLIMBERS = 4096  # climbed at a time: a nearly flat F has hundreds of starts per problem
STEPS = 60  # 5 are usual, 30 happen
CONVERGED = 1e-22  # promised gain, relative: its square root is the error of the parameters
ROUNDING = 1e-13  # of F, relative
HOPELESS = 1e-3  # a climber whose next step promises less than this share of its lag stops
LONGEST_STEP = 0.3  # in radians of turn, and of phase at the root mean square key


class Starts(NamedTuple):
    """Where to climb from."""

    rows: np.ndarray  # (starts,) the problem of each
    frame: np.ndarray  # (starts, 3, 3) columns c, u, v
    s: np.ndarray  # (starts,)


class Maxima(NamedTuple):
    """Local maxima of F."""

    rows: np.ndarray  # (maxima,) the problem of each
    frame: np.ndarray  # (maxima, 3, 3) columns c, u, v
    s: np.ndarray  # (maxima,)
    value: np.ndarray  # (maxima,) F
    height_and_radius: np.ndarray  # (maxima, 3) as of `landscape.value_gradient_hessian`


def maximise(
    problems: Problems, low: float, high: float, rule: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Globally maximise F for every one of the problems, low <= s <= high.

    Returns frame (problems, 3, 3), s (problems,) and (problems, 3): the height part of F and the
    coefficients on e0 and e1 of the radius, not yet constrained.
    """
    if rule != "positive":
        basis = LINEAR_RADIUS if rule == "cone" else CONSTANT_RADIUS
        return _best(_maxima(problems, low, high, basis))
    max_ratio = max_single_sign_ratio(problems.tau)

    def single_signed(maxima):
        constant, linear = maxima.height_and_radius[:, 1:].T
        inside = np.abs(linear) <= max_ratio * np.abs(constant)
        return Maxima(*(array[inside] for array in maxima))

    on_borders = [
        _maxima(problems, low, high, basis, all_maxima=True) for basis in border_bases(max_ratio)
    ]
    highest = np.zeros(len(problems.total))
    for maxima in on_borders:
        np.maximum.at(highest, maxima.rows, maxima.value)
    peaks = starts(problems, low, high, LINEAR_RADIUS, highest, all_maxima=True)
    # a border maximum whose free radius lies inside is no maximum of the cone: climb on from it
    inside = [Starts(*single_signed(maxima)[:3]) for maxima in on_borders]
    cone = climb(
        problems, _concatenated(Starts, [peaks, *inside]), low, high, LINEAR_RADIUS, all_maxima=True
    )
    return _best(_concatenated(Maxima, [*on_borders, single_signed(cone)]))


def _best(maxima):
    """The highest maximum of each problem; every problem has one."""
    order = np.lexsort((maxima.value, maxima.rows))
    last = order[np.flatnonzero(np.diff(maxima.rows[order], append=-1))]
    return maxima.frame[last], maxima.s[last], maxima.height_and_radius[last]


def _maxima(problems, low, high, basis, all_maxima=False):
    peaks = starts(problems, low, high, basis, all_maxima=all_maxima)
    return climb(problems, peaks, low, high, basis, all_maxima)


def _concatenated(kind, records):
    """NamedTuples of arrays below each other."""
    return kind(*(np.concatenate(arrays) for arrays in zip(*records, strict=True)))


# -- the grid ------------------------------------------------------------------------------------


@cache
def sphere(count: int = DIRECTIONS) -> tuple[np.ndarray, np.ndarray]:
    """Fibonacci directions with tangents, frames (count, 3, 3) [c e f], and their neighbours."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    turn = np.pi * (1 + np.sqrt(5)) * index
    across = np.sqrt(1 - z**2)
    c = np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)
    e = np.stack([-np.sin(turn), np.cos(turn), np.zeros(count)], axis=1)
    frames = np.stack([c, e, np.cross(c, e)], axis=2)
    neighbours = [{i} for i in range(count)]
    for corners in ConvexHull(c).simplices:
        for corner in corners:
            neighbours[corner].update(corners)
    most = max(map(len, neighbours))
    padded = [[*near, *[i] * (most - len(near))] for i, near in enumerate(neighbours)]
    return frames, np.array(padded)


def frequency_grid(problems: Problems, low: float, high: float) -> np.ndarray:
    """The frequencies of the grid: POINTS_PER_CYCLE in every cell of 2 pi / keys."""
    cell = 2 * np.pi * problems.scale / (2 * len(problems.tau))
    count = 1 + int(np.ceil((high - low) / cell * POINTS_PER_CYCLE))
    return np.linspace(low, high, count)


def starts(
    problems: Problems, low: float, high: float, radius_basis: np.ndarray,
    goal: np.ndarray | None = None, all_maxima: bool = False,
) -> Starts:  # fmt: skip
    """The promising peaks of the grid.

    goal (problems,): what a maximum has to exceed, instead of the best of the grid itself.
    all_maxima: lesser ones are wanted too, as a rule on the radius may forbid the best.
    """
    frames, neighbours = sphere()
    frequencies = frequency_grid(problems, low, high)
    angle = frequencies[:, None] * problems.tau
    cos, sin = np.cos(angle).T, np.sin(angle).T
    real = np.matmul(problems.even[:, :6], cos).reshape(-1, 2, 3, len(frequencies))
    imag = np.matmul(problems.odd[:, :6], sin).reshape(-1, 2, 3, len(frequencies))
    pair = np.concatenate([real, imag], axis=2).transpose(1, 0, 3, 2)  # (k, problem, s, p and q)
    if radius_basis is not LINEAR_RADIUS:  # which is the identity
        pair = np.tensordot(radius_basis, pair, 1)

    c, e, f = frames.transpose(2, 1, 0)
    to_real = np.concatenate([e, f]).astype(np.float32)  # sigma = e.p + f.q + i (e.q - f.p)
    to_imag = np.concatenate([-f, e]).astype(np.float32)
    coarse = pair.astype(np.float32)  # enough for a start; Newton works in full precision
    peaks = []
    for first in range(0, len(problems.total), BLOCK):
        block = slice(first, first + BLOCK)
        height = (np.matmul(problems.trend[block].transpose(0, 2, 1), c) ** 2).sum(axis=1)
        sigma = [np.matmul(coarse[:, block], to) for to in (to_real, to_imag)]
        landscape = best_chroma(*sigma)
        landscape += height[:, None].astype(np.float32)
        best = landscape.max(axis=(1, 2)) if goal is None else goal[block]
        line_share = 0 * best if all_maxima else height.max(axis=1)
        row, at, direction = _peaks(landscape, neighbours, best, line_share)
        peaks.append((row + first, at, direction))
    row, at, direction = (np.concatenate(indices) for indices in zip(*peaks, strict=True))
    on_grid = Starts(row, frames[direction], frequencies[at])
    straight = _starts_on_the_line(problems, pair, frequencies, goal)
    return _concatenated(Starts, [on_grid, straight])


def _starts_on_the_line(problems, pair, frequencies, goal):
    """Starts of problems that are nearly a straight line: axes along it, at every peak over s.

    Off the line by no more than half the spacing of the grid, what is left of its height exceeds
    the chroma of such problems by far, and the grid climbs that instead.
    pair (functions, problems, s, p and q) as in `starts`.
    """
    axes, heights, _ = np.linalg.svd(problems.trend, full_matrices=False)
    rows = np.flatnonzero(heights[:, 0] ** 2 >= STRAIGHT * problems.total)
    if goal is not None:
        rows = rows[goal[rows] < problems.total[rows]]
    c = axes[rows, :, 0]
    e = np.cross(c, np.eye(3)[np.argmin(np.abs(c), axis=1)])
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    starts_of = []
    for sign in (1, -1):  # the two chiralities
        frame = np.stack([sign * c, e, np.cross(sign * c, e)], axis=2)
        p, q = pair[:, rows, :, :3], pair[:, rows, :, 3:]
        e_p, f_p = (np.einsum("jrsd,rd->jrs", p, frame[:, :, place]) for place in (1, 2))
        e_q, f_q = (np.einsum("jrsd,rd->jrs", q, frame[:, :, place]) for place in (1, 2))
        chroma = best_chroma(e_p + f_q, e_q - f_p)
        peak = np.ones(chroma.shape, dtype=bool)
        peak[:, 1:] &= chroma[:, 1:] >= chroma[:, :-1]
        peak[:, :-1] &= chroma[:, :-1] >= chroma[:, 1:]
        row, at = np.nonzero(peak)
        starts_of.append(Starts(rows[row], frame[row], frequencies[at]))
    return _concatenated(Starts, starts_of)


def _peaks(landscape, neighbours, best, line_share):
    """Promising local maxima of (problems, frequencies, directions): three index arrays.

    Close to the best a maximum over the directions of one slice is enough: ridges that cross the
    grid diagonally have two maxima there, less than a cell apart. Close is relative to what F has
    above `line_share` (problems,), the share of a straight line: where that is nearly all, F
    hardly depends on the frequency, and every slice would count.
    """
    high = landscape >= (1 - PROMISING) * best[:, None, None]
    close = landscape >= (best - CLOSE * (best - line_share).clip(min=0))[:, None, None]
    high[:, 1:] &= close[:, 1:] | (landscape[:, 1:] >= landscape[:, :-1])
    high[:, :-1] &= close[:, :-1] | (landscape[:, :-1] >= landscape[:, 1:])
    row, at, direction = np.nonzero(high)
    around = landscape[row[:, None], at[:, None], neighbours[direction]].max(axis=1)
    peak = landscape[row, at, direction] >= around
    return row[peak], at[peak], direction[peak]


# -- Newton --------------------------------------------------------------------------------------


def climb(
    problems: Problems, peaks: Starts, low: float, high: float, radius_basis: np.ndarray,
    all_maxima: bool = False,
) -> Maxima:  # fmt: skip
    """`_climb` for any number of starts, so many at a time that they stay small in memory."""
    maxima = []
    for first in range(0, max(len(peaks.rows), 1), CLIMBERS):
        block = Starts(*(array[first : first + CLIMBERS] for array in peaks))
        maxima.append(_climb(problems, block, low, high, radius_basis, all_maxima))
    return _concatenated(Maxima, maxima)


def _climb(problems, peaks, low, high, radius_basis, all_maxima):
    """Newton from every start to its local maximum: Maxima.

    After each step the turn about the axis is set to its best, which is closed form. Climbers
    that cannot become the best of their problem stop early, unless all_maxima are asked for.
    """
    rows, frame, s = peaks.rows, peaks.frame, peaks.s.copy()
    fixed = low == high
    trend, total = problems.trend[rows], problems.total[rows]
    if fixed:
        at_low = np.full(len(problems.total), low)
        constant_moments = moments(problems.even, problems.odd, problems.tau, at_low)[rows]
    else:
        even, odd = problems.even[rows], problems.odd[rows]

    def evaluate(chosen, frame, s):
        at = (
            constant_moments[chosen]
            if fixed
            else moments(even[chosen], odd[chosen], problems.tau, s)
        )
        frame = turn_to_best(frame, at, radius_basis)
        return frame, *value_gradient_hessian(frame, trend[chosen], at, radius_basis)

    frame, value, gradient, hessian, height_and_radius = evaluate(slice(None), frame, s)
    best = np.zeros(len(problems.total))
    reach = np.full(len(rows), LONGEST_STEP)
    active = np.arange(len(rows))
    for _ in range(STEPS):
        step, gain = _newton_step(gradient, hessian, s[active], low, high, reach[active])
        np.maximum.at(best, rows[active], value[active])
        lag = best[rows[active]] - value[active]
        going = gain > np.maximum(CONVERGED * total[active], HOPELESS * lag * (not all_maxima))
        active, step, gradient = active[going], step[:, going], gradient[:, going]
        hessian = {place: derivative[going] for place, derivative in hessian.items()}
        if not len(active):
            break
        new_frame = np.matmul(frame[active], _tilt(*step[1:3]))
        new_s = np.clip(s[active] + step[3], low, high)
        new_frame, new_value, new_gradient, new_hessian, new_height_and_radius = evaluate(
            active, new_frame, new_s
        )
        up = new_value >= value[active] - ROUNDING * total[active]
        accepted = active[up]
        frame[accepted], s[accepted] = new_frame[up], new_s[up]
        value[accepted], height_and_radius[accepted] = new_value[up], new_height_and_radius[up]
        length = np.sqrt((step[1:] ** 2).sum(axis=0))
        reach[active] = np.where(up, np.maximum(reach[active], LONGEST_STEP / 4), length / 4)
        gradient = np.where(up, new_gradient, gradient)
        hessian = {place: np.where(up, new_hessian[place], hessian[place]) for place in hessian}
    return Maxima(rows, frame, s, value, height_and_radius)


def _newton_step(gradient, hessian, s, low, high, reach):
    """An ascent step (4, rows), no longer than `reach`, and the gain it promises (rows,).

    Where F is concave this is Newton's step. Elsewhere the pivots of -H = L D L' are replaced by
    their absolute values, so that the step leads away from a saddle.
    A frequency at its bound whose gradient points outside is held there.
    """
    held = ((s <= low) & (gradient[3] <= 0)) | ((s >= high) & (gradient[3] >= 0))
    free = ~held
    gradient = gradient.copy()
    gradient[3] *= free
    negated = {
        place: -derivative * free if 3 in place else -derivative
        for place, derivative in hessian.items()
    }
    negated[3, 3] = np.where(free, negated[3, 3], 1.0)

    least = 1e-12 + 1e-3 * sum(np.abs(negated[i, i]) for i in range(4))
    lower, pivot = {}, []
    for j in range(4):
        d = negated[j, j] - sum(lower[j, k] ** 2 * pivot[k] for k in range(j))
        floor = least if j else 1e-12  # the turn about c is at its best: concave, however little
        pivot.append(np.where(d > 1e-3 * floor, d, np.maximum(np.abs(d), floor)))
        for i in range(j + 1, 4):
            remainder = negated[j, i] - sum(lower[i, k] * lower[j, k] * pivot[k] for k in range(j))
            lower[i, j] = remainder / pivot[j]
    step = list(gradient)
    for i in range(4):
        step[i] = step[i] - sum(lower[i, k] * step[k] for k in range(i))
    step = [component / d for component, d in zip(step, pivot, strict=True)]
    for i in reversed(range(4)):
        step[i] = step[i] - sum(lower[k, i] * step[k] for k in range(i + 1, 4))
    step = np.stack(step)
    gain = (gradient * step).sum(axis=0)
    length = np.sqrt((step[1:] ** 2).sum(axis=0))
    return step * np.minimum(1, reach / np.maximum(length, 1e-300)), gain


def _tilt(about_u, about_v):
    """Rotations by vectors in the plane of u and v: (rows, 3, 3), by Rodrigues' formula."""
    angle = np.hypot(about_u, about_v)
    first = np.sinc(angle / np.pi)
    second = np.sinc(angle / (2 * np.pi)) ** 2 / 2
    cross = np.zeros((len(angle), 3, 3))
    cross[:, 0, 2], cross[:, 2, 0] = about_u, -about_u
    cross[:, 1, 0], cross[:, 0, 1] = about_v, -about_v
    return np.eye(3) + first[:, None, None] * cross + second[:, None, None] * (cross @ cross)
