"""The global maximum of F: a grid over axis and frequency, then Newton from its best peaks.

With the axis c fixed, the best turn of (u, v) is closed form (`radius.best_turn`), so the grid
has three dimensions: c on the sphere (both signs: they are the two chiralities) and s. F is
smooth on the scale of the grid, and every promising local maximum of the grid is climbed.

The numbers below were set against `bound.py`, which proves a fit to be the global best, and
against grids many times finer; `tests/unit/test_helix.py` repeats both on a smaller scale.
"""

from functools import cache

import numpy as np
from scipy.spatial import ConvexHull

from rasen.helix.landscape import best_turned, moments, value_slope_bend
from rasen.helix.radius import BOTH, CONSTANT, best_chroma, borders, edge_of

DIRECTIONS = 192  # neighbours on the sphere are 0.25 rad apart
POINTS_PER_CYCLE = 8  # frequencies a resolution cell, 2 pi / keys
PROMISING = 0.2  # peaks of the grid within this share of the best are climbed
CLOSE = 0.04  # and so are peaks of a single slice of the grid within this share
BLOCK = 16  # problems whose grids are in the processor's cache together
CLIMBERS = 4096  # at a time: a nearly flat F has hundreds of starts a problem
STEPS = 60  # 5 are usual, 30 happen
CONVERGED = 1e-22  # promised gain, relative: its square root is the error of the parameters
ROUNDING = 1e-13  # of F, relative
HOPELESS = 1e-3  # a climber whose next step promises less than this share of its lag gives up
LONGEST_STEP = 0.3  # in radians of turn, and of phase at the root mean square key


def maximise(problems, low, high, radius):
    """Globally maximise F for every problem of `landscape.paths`, low <= s <= high.

    Returns frame (problems, 3, 3), s (problems,) and parts (problems, 3): the height part of F
    and the coefficients on e0 and e1 of the radius, not yet constrained.
    """
    if radius != "positive":
        windows = BOTH if radius == "cone" else CONSTANT
        return _best(_maxima(problems, low, high, windows))
    edge = edge_of(problems.tau)

    def single_signed(maxima):
        first, slope = maxima[-1][:, 1:].T
        inside = np.abs(slope) <= edge * np.abs(first)
        return [each[inside] for each in maxima]

    found = [_maxima(problems, low, high, each, all_maxima=True) for each in borders(edge)]
    highest = np.zeros(len(problems.total))
    for rows, _, _, value, _ in found:
        np.maximum.at(highest, rows, value)
    peaks = starts(problems, low, high, BOTH, highest, all_maxima=True)
    # a border maximum whose free radius lies inside is on a slope of the cone: climb on from it
    slopes = [single_signed(maxima)[:3] for maxima in found]
    start = (np.concatenate(each) for each in zip(peaks, *slopes, strict=True))
    found.append(single_signed(climb(problems, *start, low, high, BOTH, all_maxima=True)))
    return _best(np.concatenate(each) for each in zip(*found, strict=True))


def _best(maxima):
    """The highest maximum of each problem; every problem has one."""
    rows, frame, s, value, parts = maxima
    order = np.lexsort((value, rows))
    last = order[np.flatnonzero(np.diff(rows[order], append=-1))]
    return frame[last], s[last], parts[last]


def _maxima(problems, low, high, windows, all_maxima=False):
    found = starts(problems, low, high, windows, all_maxima=all_maxima)
    return climb(problems, *found, low, high, windows, all_maxima)


# -- the grid ------------------------------------------------------------------------------------


@cache
def sphere(count=DIRECTIONS):
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


def grid(problems, low, high):
    """The frequencies of the grid: POINTS_PER_CYCLE in every cell of 2 pi / keys."""
    cell = 2 * np.pi * problems.scale / (2 * len(problems.tau))
    count = 1 + int(np.ceil((high - low) / cell * POINTS_PER_CYCLE))
    return np.linspace(low, high, count)


def starts(problems, low, high, windows, goal=None, all_maxima=False):
    """Where to climb from: rows (starts,), frame (starts, 3, 3) and s (starts,).

    goal (problems,): what a maximum has to beat, instead of the best of the grid itself.
    all_maxima: lesser ones are wanted too, as a rule on the radius may forbid the best.
    """
    frames, neighbours = sphere()
    frequencies = grid(problems, low, high)
    angle = frequencies[:, None] * problems.tau
    cos, sin = np.cos(angle).T, np.sin(angle).T
    real = np.matmul(problems.even[:, :6], cos).reshape(-1, 2, 3, len(frequencies))
    imag = np.matmul(problems.odd[:, :6], sin).reshape(-1, 2, 3, len(frequencies))
    pair = np.concatenate([real, imag], axis=2).transpose(1, 0, 3, 2)  # (k, problem, s, p and q)
    if windows is not BOTH:
        pair = np.tensordot(windows, pair, 1)

    c, e, f = frames.transpose(2, 1, 0)
    to_real = np.concatenate([e, f]).astype(np.float32)  # sigma = e.p + f.q + i (e.q - f.p)
    to_imag = np.concatenate([-f, e]).astype(np.float32)
    coarse = pair.astype(np.float32)  # enough for a start; Newton works in full precision
    found = []
    for first in range(0, len(problems.total), BLOCK):
        block = slice(first, first + BLOCK)
        height = (np.matmul(problems.line[block].transpose(0, 2, 1), c) ** 2).sum(axis=1)
        sigma = [np.matmul(coarse[:, block], to) for to in (to_real, to_imag)]
        landscape = best_chroma(*sigma)
        landscape += height[:, None].astype(np.float32)
        best = landscape.max(axis=(1, 2)) if goal is None else goal[block]
        line = 0 * best if all_maxima else height.max(axis=1)
        row, at, direction = _peaks(landscape, neighbours, best, line)
        found.append((row + first, at, direction))
    row, at, direction = (np.concatenate(each) for each in zip(*found, strict=True))

    return row, frames[direction], frequencies[at]


def _peaks(landscape, neighbours, best, line):
    """Promising local maxima of (problems, frequencies, directions): three index arrays.

    Close to the best a maximum over the directions of one slice is enough: ridges that cross the
    grid aslant carry twin maxima there, less than a cell apart. Close is meant against what F
    has above `line` (problems,), the share of a straight line: where that is nearly all, F hardly
    depends on the frequency, and every slice would count.
    """
    high = landscape >= (1 - PROMISING) * best[:, None, None]
    close = landscape >= (best - CLOSE * (best - line).clip(min=0))[:, None, None]
    high[:, 1:] &= close[:, 1:] | (landscape[:, 1:] >= landscape[:, :-1])
    high[:, :-1] &= close[:, :-1] | (landscape[:, :-1] >= landscape[:, 1:])
    row, at, direction = np.nonzero(high)
    around = landscape[row[:, None], at[:, None], neighbours[direction]].max(axis=1)
    peak = landscape[row, at, direction] >= around
    return row[peak], at[peak], direction[peak]


# -- Newton --------------------------------------------------------------------------------------


def climb(problems, rows, frame, s, low, high, windows, all_maxima=False):
    """`_climb` for any number of starts, so many at a time that they stay small in memory."""
    blocks = [slice(first, first + CLIMBERS) for first in range(0, max(len(rows), 1), CLIMBERS)]
    found = [
        _climb(problems, rows[each], frame[each], s[each], low, high, windows, all_maxima)
        for each in blocks
    ]
    return [np.concatenate(each) for each in zip(*found, strict=True)]


def _climb(problems, rows, frame, s, low, high, windows, all_maxima):
    """Newton from every start to its local maximum: rows, frame, s, value, parts (rows, 3).

    After each step the turn about the axis is set to its best, which is closed form. Climbers
    that cannot win their problem stop on the way, unless all_maxima are asked for.
    """
    fixed = low == high
    line, total = problems.line[rows], problems.total[rows]
    if fixed:
        at_low = np.full(len(problems.total), low)
        still = moments(problems.even, problems.odd, problems.tau, at_low)[rows]
    else:
        even, odd = problems.even[rows], problems.odd[rows]

    def look(chosen, frame, s):
        at = still[chosen] if fixed else moments(even[chosen], odd[chosen], problems.tau, s)
        frame = best_turned(frame, at, windows)
        return frame, *value_slope_bend(frame, line[chosen], at, windows)

    frame, value, slope, bend, parts = look(slice(None), frame, s)
    best = np.zeros(len(problems.total))
    reach = np.full(len(rows), LONGEST_STEP)
    active = np.arange(len(rows))
    for _ in range(STEPS):
        step, gain = _newton_step(slope, bend, s[active], low, high, reach[active])
        np.maximum.at(best, rows[active], value[active])
        behind = best[rows[active]] - value[active]
        going = gain > np.maximum(CONVERGED * total[active], HOPELESS * behind * (not all_maxima))
        active, step, slope, bend = _keep(going, active, step, slope, bend)
        if not len(active):
            break
        new_frame = np.matmul(frame[active], _tilt(*step[1:3]))
        new_s = np.clip(s[active] + step[3], low, high)
        new_frame, new_value, new_slope, new_bend, new_parts = look(active, new_frame, new_s)
        up = new_value >= value[active] - ROUNDING * total[active]
        won = active[up]
        frame[won], s[won] = new_frame[up], new_s[up]
        value[won], parts[won] = new_value[up], new_parts[up]
        length = np.sqrt((step[1:] ** 2).sum(axis=0))
        reach[active] = np.where(up, np.maximum(reach[active], LONGEST_STEP / 4), length / 4)
        slope = np.where(up, new_slope, slope)
        bend = {place: np.where(up, new_bend[place], bend[place]) for place in bend}
    return rows, frame, s, value, parts


def _keep(mask, active, step, slope, bend):
    return (
        active[mask], step[:, mask], slope[:, mask],
        {place: each[mask] for place, each in bend.items()},
    )  # fmt: skip


def _newton_step(slope, bend, s, low, high, reach):
    """An ascent step (4, rows), no longer than `reach`, and the gain it promises (rows,).

    Where F is concave this is Newton's step. Elsewhere the pivots of -H = L D L' are taken
    by their size, so that directions that curve upward are followed away from the saddle.
    A frequency at its bound that wants to leave is held there.
    """
    held = ((s <= low) & (slope[3] <= 0)) | ((s >= high) & (slope[3] >= 0))
    free = ~held
    slope = slope.copy()
    slope[3] *= free
    down = {place: -each * free if 3 in place else -each for place, each in bend.items()}
    down[3, 3] = np.where(free, down[3, 3], 1.0)

    least = 1e-12 + 1e-3 * sum(np.abs(down[i, i]) for i in range(4))
    lower, pivot = {}, []
    for j in range(4):
        d = down[j, j] - sum(lower[j, k] ** 2 * pivot[k] for k in range(j))
        floor = least if j else 1e-12  # the turn about c is at its best: concave, however little
        pivot.append(np.where(d > 1e-3 * floor, d, np.maximum(np.abs(d), floor)))
        for i in range(j + 1, 4):
            rest = down[j, i] - sum(lower[i, k] * lower[j, k] * pivot[k] for k in range(j))
            lower[i, j] = rest / pivot[j]
    step = list(slope)
    for i in range(4):
        step[i] = step[i] - sum(lower[i, k] * step[k] for k in range(i))
    step = [each / d for each, d in zip(step, pivot, strict=True)]
    for i in reversed(range(4)):
        step[i] = step[i] - sum(lower[k, i] * step[k] for k in range(i + 1, 4))
    step = np.stack(step)
    gain = (slope * step).sum(axis=0)
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
