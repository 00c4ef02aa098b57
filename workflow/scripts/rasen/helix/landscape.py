"""The one function that a helix fit maximises, with its exact gradient and Hessian.

Eq. (1) is  y(t) = h(t) c + r(t) (cos th(t) u + sin th(t) v)  with h and r linear in t. Write
tau for the key index, centred and scaled to unit mean square, e0 = 1/sqrt(N), e1 = tau/sqrt(N)
for the orthonormal basis of linear functions of the key, s for the angle per unit of tau, and

    m_k = sum_t e_k(t) x_t          z_k(s) = sum_t e_k(t) exp(i s tau) x_t          (3-vectors).

t0 only turns u and v, so it is redundant; the two numbers in h and the two in r are linear
least squares in orthonormal functions. Eliminating them leaves

    sum |x - y|^2  =  sum |x|^2 - F,
    F(c, u, v, s)  =  sum_k (c.m_k)^2  +  sum_k (u.Re z_k + v.Im z_k)^2
                      (height part)       (chroma part),

a function of a rotation [c u v] and one frequency. Mirror images need no second search: F does not
depend on the sign of c, so the rotations with positive s hold the helices of both chiralities.

A rule for the radius (`radius.py`) replaces the two functions e_k of the chroma part by another
radius basis, linear combinations of them.
"""

from dataclasses import dataclass

import numpy as np

from rasen.helix.radius import LINEAR_RADIUS, best_turn

Hessian = dict[tuple[int, int], np.ndarray]  # {(i, j): (rows,)} for i <= j


@dataclass(frozen=True)
class Problems:
    """A batch of problems, tabulated for z_k(s): all that depends on x alone."""

    scale: float  # root mean square of the centred key index: s = omega * scale
    tau: np.ndarray  # (half,) the non-negative keys, centred and scaled
    even: np.ndarray  # (problems, 12, half) factors of cos(s tau): x, y, z of 4 moments
    odd: np.ndarray  # (problems, 12, half) factors of sin(s tau)
    trend: np.ndarray  # (problems, 3, 2) the vectors m_0, m_1
    total: np.ndarray  # (problems,) sum |x|^2


def centred_keys(keys: int) -> tuple[np.ndarray, float]:
    """tau (keys,): the key index with mean 0 and mean square 1; and its scale."""
    tau = np.arange(keys) - (keys - 1) / 2
    scale = np.sqrt(np.mean(tau**2))
    return tau / scale, scale


def tabulate(x: np.ndarray) -> Problems:
    """The Problems of x (problems, keys, 3).

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
    trend = np.stack([x.sum(axis=1), np.einsum("t,ptd->pd", tau, x)], axis=2) / np.sqrt(keys)
    shape = (problems, 12, len(half))
    total = np.einsum("ptd,ptd->p", x, x)
    return Problems(scale, half, even.reshape(shape), odd.reshape(shape), trend, total)


def moments(even: np.ndarray, odd: np.ndarray, tau: np.ndarray, s: np.ndarray) -> np.ndarray:
    """sum_t tau^j exp(i s tau) x_t / sqrt(N) for j = 0..3, one s per row.

    Returns (rows, 3, 8): four real parts, then four imaginary parts.
    j = 0, 1 are z_0 and z_1; their derivatives by s are i times the next ones.
    """
    angle = s[:, None] * tau
    real = np.matmul(even, np.cos(angle)[..., None])[..., 0]
    imag = np.matmul(odd, np.sin(angle)[..., None])[..., 0]
    both = np.concatenate([real.reshape(-1, 4, 3), imag.reshape(-1, 4, 3)], axis=1)
    return np.moveaxis(both, 1, 2)


def turn_to_best(frame: np.ndarray, moment: np.ndarray, radius_basis: np.ndarray) -> np.ndarray:
    """Frames (rows, 3, 3) turned about their axis to where F is largest, c and s given."""
    projected = np.matmul(frame[:, :, 1:].transpose(0, 2, 1), moment[:, :, [0, 1, 4, 5]])
    u, v = projected.transpose(1, 2, 0)  # (p_0 p_1 q_0 q_1, row)
    cos, sin = best_turn(radius_basis @ (u[:2] + v[2:]), radius_basis @ (u[2:] - v[:2]))
    turn = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    return np.concatenate([frame[:, :, :1], np.matmul(frame[:, :, 1:], turn)], axis=2)


def value_gradient_hessian(
    frame: np.ndarray, trend: np.ndarray, moment: np.ndarray, radius_basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Hessian, np.ndarray]:
    """F with its gradient and Hessian in (turn about c, turn about u, turn about v, s).

    frame (rows, 3, 3) has columns c, u, v; trend (rows, 3, 2); moment (rows, 3, 8); radius_basis
    (function, 2) as in `radius.py`.
    Returns value (rows,), gradient (4, rows), the Hessian, and (rows, 3): the height part of F and
    the coefficients of the unconstrained radius on e0 and e1. Inside, rows lie last, so that every
    line below is one pass over contiguous memory.

    The axis is tilted first, by the turns about u and v together, and then the frame is turned
    about the new axis: so the height part does not depend on the turn about c at all, and the
    ridges of F run straight. To second order a tilt w moves a column e by w x e + w x (w x e) / 2,
    hence e.m has gradient e x m and Hessian (e m' + m e') / 2 - (e.m) 1; in the frame's own
    coordinates e is a unit vector, which leaves few terms.
    """
    projected = np.matmul(frame.transpose(0, 2, 1), np.concatenate([trend, moment], axis=2))
    projected = np.ascontiguousarray(projected.transpose(2, 1, 0))  # (vector, coordinate, row)
    m, real, imag = projected[:2], projected[2:6], projected[6:]
    # the k-th pair (p, q) = (Re z_k, Im z_k) and its first two derivatives by s
    p, q = real[:2], imag[:2]
    p1, q1 = -imag[1:3], real[1:3]
    p2, q2 = -real[2:4], -imag[2:4]

    free_radius = p[:, 1] + q[:, 2]
    if radius_basis is not LINEAR_RADIUS:  # which is the identity
        p, q, p1, q1, p2, q2 = (
            np.tensordot(radius_basis, vector, 1) for vector in (p, q, p1, q1, p2, q2)
        )

    height = m[:, 0]
    chroma = p[:, 1] + q[:, 2]
    height_part = (height**2).sum(axis=0)
    value = height_part + (chroma**2).sum(axis=0)

    # derivatives of height_k (not by the turn about c or s: they are zero) and of chroma_k
    height_by_u, height_by_v = -m[:, 2], m[:, 1]
    chroma_by = (p[:, 2] - q[:, 1], q[:, 0], -p[:, 0], p1[:, 1] + q1[:, 2])
    gradient = np.stack([(chroma * derivative).sum(axis=0) for derivative in chroma_by])
    gradient[1] += (height * height_by_u).sum(axis=0)
    gradient[2] += (height * height_by_v).sum(axis=0)

    hessian = {
        (i, j): (chroma_by[i] * chroma_by[j]).sum(axis=0) for i in range(4) for j in range(i, 4)
    }  # products of first derivatives; then the second derivatives of height_k and chroma_k
    hessian[1, 1] += (height_by_u**2).sum(axis=0) - height_part
    hessian[1, 2] += (height_by_u * height_by_v).sum(axis=0)
    hessian[2, 2] += (height_by_v**2).sum(axis=0) - height_part
    hessian[0, 1] += (chroma * p[:, 0]).sum(axis=0)
    hessian[0, 2] += (chroma * q[:, 0]).sum(axis=0)
    chroma_q, chroma_p = (chroma * q[:, 2]).sum(axis=0), (chroma * p[:, 1]).sum(axis=0)
    hessian[0, 0] -= chroma_q + chroma_p
    hessian[1, 1] -= chroma_q
    hessian[2, 2] -= chroma_p
    hessian[1, 2] += (chroma * (p[:, 2] + q[:, 1])).sum(axis=0) / 2
    hessian[0, 3] += (chroma * (p1[:, 2] - q1[:, 1])).sum(axis=0)
    hessian[1, 3] += (chroma * q1[:, 0]).sum(axis=0)
    hessian[2, 3] -= (chroma * p1[:, 0]).sum(axis=0)
    hessian[3, 3] += (chroma * (p2[:, 1] + q2[:, 2])).sum(axis=0)
    height_and_radius = np.stack([height_part, *free_radius], axis=1)
    doubled = {place: 2 * derivative for place, derivative in hessian.items()}
    return value, 2 * gradient, doubled, height_and_radius
