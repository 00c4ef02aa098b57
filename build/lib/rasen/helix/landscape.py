"""The one function that a helix fit maximises, with its exact gradient and Hessian.

Eq. (1) is  y(t) = h(t) c + r(t) (cos th(t) u + sin th(t) v)  with h and r linear in t. Write
tau for the key index, centred and scaled to unit mean square, e0 = 1/sqrt(N), e1 = tau/sqrt(N)
for the orthonormal basis of linear functions of the key, s for the angle per unit of tau, and

    m_k = sum_t e_k(t) x_t          z_k(s) = sum_t e_k(t) exp(i s tau) x_t          (3-vectors).

t0 only turns u and v, so it is redundant; the two numbers in h and the two in r are linear
least squares in orthonormal functions. They drop out, and what is left is

    sum |x - y|^2  =  sum |x|^2 - F,
    F(c, u, v, s)  =  sum_k (c.m_k)^2  +  sum_k (u.Re z_k + v.Im z_k)^2
                      (height part)       (chroma part),

a function of a rotation [c u v] and one frequency. Mirror images need no second search: F does
not see the sign of c, so the rotations with positive s hold the helices of both chiralities.

A rule for the radius (`radius.py`) replaces the two functions e_k of the chroma part by other
"windows", linear combinations of them.
"""

from dataclasses import dataclass

import numpy as np

from rasen.helix.radius import BOTH, best_turn


@dataclass
class Paths:
    """A batch of problems, ready to be asked for z_k(s): everything that depends on x alone."""

    scale: float  # root mean square of the centred key index: s = omega * scale
    tau: np.ndarray  # (half,) the non-negative keys, centred and scaled
    even: np.ndarray  # (problems, 12, half) what meets cos(s tau): x, y, z of 4 moments
    odd: np.ndarray  # (problems, 12, half) what meets sin(s tau)
    line: np.ndarray  # (problems, 3, 2) the vectors m_0, m_1
    total: np.ndarray  # (problems,) sum |x|^2

    def take(self, chosen):
        """The same for some of the problems."""
        return Paths(
            self.scale, self.tau, self.even[chosen], self.odd[chosen], self.line[chosen],
            self.total[chosen],
        )  # fmt: skip


def centred_keys(keys):
    """tau (keys,): the key index with mean 0 and mean square 1; and its scale."""
    tau = np.arange(keys) - (keys - 1) / 2
    scale = np.sqrt(np.mean(tau**2))
    return tau / scale, scale


def paths(x):
    """Tabulate problems x (problems, keys, 3).

    cos is even and sin is odd, so keys tau and -tau are folded together first: half the
    trigonometry and half the sums.
    """
    problems, keys, _ = x.shape
    tau, scale = centred_keys(keys)
    half = tau[keys // 2 :]
    after = x[:, keys // 2 :]
    before = x[:, keys - 1 - np.arange(keys // 2, keys)]
    plus = np.moveaxis(after + before, 1, 2) / np.sqrt(keys)
    minus = np.moveaxis(after - before, 1, 2) / np.sqrt(keys)
    if keys % 2:
        plus[..., 0] /= 2  # the middle key is its own mirror image
    powers = half ** np.arange(4)[:, None]
    even = np.stack([plus, minus, plus, minus], axis=1) * powers[None, :, None]
    odd = np.stack([minus, plus, minus, plus], axis=1) * powers[None, :, None]
    line = np.stack([x.sum(axis=1), np.einsum("t,ptd->pd", tau, x)], axis=2) / np.sqrt(keys)
    shape = (problems, 12, len(half))
    total = np.einsum("ptd,ptd->p", x, x)
    return Paths(scale, half, even.reshape(shape), odd.reshape(shape), line, total)


def moments(even, odd, tau, s):
    """sum_t tau^j exp(i s tau) x_t / sqrt(N) for j = 0..3, one s a row: (rows, 3, real 4 + imag 4).

    j = 0, 1 are z_0 and z_1; their derivatives by s are i times the next ones.
    """
    angle = s[:, None] * tau
    real = np.matmul(even, np.cos(angle)[..., None])[..., 0]
    imag = np.matmul(odd, np.sin(angle)[..., None])[..., 0]
    both = np.concatenate([real.reshape(-1, 4, 3), imag.reshape(-1, 4, 3)], axis=1)
    return np.moveaxis(both, 1, 2)


def best_turned(frame, moment, windows):
    """Frames (rows, 3, 3) turned about their axis to where F is largest, c and s given."""
    inside = np.matmul(frame[:, :, 1:].transpose(0, 2, 1), moment[:, :, [0, 1, 4, 5]])
    u, v = inside.transpose(1, 2, 0)  # (p_0 p_1 q_0 q_1, row)
    cos, sin = best_turn(windows @ (u[:2] + v[2:]), windows @ (u[2:] - v[:2]))
    turn = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    return np.concatenate([frame[:, :, :1], np.matmul(frame[:, :, 1:], turn)], axis=2)


def value_slope_bend(frame, line, moment, windows):
    """F with its gradient and Hessian in (turn about c, turn about u, turn about v, s).

    frame (rows, 3, 3) has columns c, u, v; line (rows, 3, 2); moment (rows, 3, 8); windows
    (window, 2) as in `radius.py`.
    Returns value (rows,), slope (4, rows), bend {(i, j): (rows,)} for i <= j, and parts (rows, 3):
    the height part, and the coefficients of the unconstrained radius on e0 and e1. Inside, rows
    lie last, so that every line below is one pass over contiguous memory.

    The axis is tilted first, by the turns about u and v together, and then the frame is turned
    about the axis that this gives: so the height part does not feel the turn about c at all, and
    the ridges of F run straight. To second order a tilt w moves a column e by w x e +
    w x (w x e) / 2, hence e.m has gradient e x m and Hessian (e m' + m e') / 2 - (e.m) 1; in the
    frame's own coordinates e is a unit vector, which leaves few terms.
    """
    inside = np.matmul(frame.transpose(0, 2, 1), np.concatenate([line, moment], axis=2))
    inside = np.ascontiguousarray(inside.transpose(2, 1, 0))  # (vector, coordinate, row)
    m, real, imag = inside[:2], inside[2:6], inside[6:]
    # the k-th pair (p, q) = (Re z_k, Im z_k) and its first two derivatives by s
    p, q = real[:2], imag[:2]
    p1, q1 = -imag[1:3], real[1:3]
    p2, q2 = -real[2:4], -imag[2:4]

    free_radius = p[:, 1] + q[:, 2]
    if windows is not BOTH:
        p, q, p1, q1, p2, q2 = (np.tensordot(windows, each, 1) for each in (p, q, p1, q1, p2, q2))

    height = m[:, 0]
    chroma = p[:, 1] + q[:, 2]
    height_part = (height**2).sum(axis=0)
    value = height_part + (chroma**2).sum(axis=0)

    # gradients of height_k and chroma_k; height_k does not feel a turn about c, nor s
    about_u, about_v = -m[:, 2], m[:, 1]
    turn = (p[:, 2] - q[:, 1], q[:, 0], -p[:, 0], p1[:, 1] + q1[:, 2])
    slope = np.stack([(chroma * each).sum(axis=0) for each in turn])
    slope[1] += (height * about_u).sum(axis=0)
    slope[2] += (height * about_v).sum(axis=0)

    bend = {
        (i, j): (turn[i] * turn[j]).sum(axis=0) for i in range(4) for j in range(i, 4)
    }  # squared slopes; then the curvature of height_k and chroma_k, weighted
    bend[1, 1] += (about_u**2).sum(axis=0) - height_part
    bend[1, 2] += (about_u * about_v).sum(axis=0)
    bend[2, 2] += (about_v**2).sum(axis=0) - height_part
    bend[0, 1] += (chroma * p[:, 0]).sum(axis=0)
    bend[0, 2] += (chroma * q[:, 0]).sum(axis=0)
    across, along = (chroma * q[:, 2]).sum(axis=0), (chroma * p[:, 1]).sum(axis=0)
    bend[0, 0] -= across + along
    bend[1, 1] -= across
    bend[2, 2] -= along
    bend[1, 2] += (chroma * (p[:, 2] + q[:, 1])).sum(axis=0) / 2
    bend[0, 3] += (chroma * (p1[:, 2] - q1[:, 1])).sum(axis=0)
    bend[1, 3] += (chroma * q1[:, 0]).sum(axis=0)
    bend[2, 3] -= (chroma * p1[:, 0]).sum(axis=0)
    bend[3, 3] += (chroma * (p2[:, 1] + q2[:, 2])).sum(axis=0)
    parts = np.stack([height_part, *free_radius], axis=1)
    return value, 2 * slope, {place: 2 * each for place, each in bend.items()}, parts
