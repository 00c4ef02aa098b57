"""Rules for the radius of the helix along the keys.

    cone       r(t) = any linear function: eq. (1) as printed. It may change its sign between the
               first and the last key (a double cone), which most spectra make use of
    positive   r(t) linear and >= 0 on all keys
    cylinder   r(t) constant

With the frame fixed, let y_k be the least-squares coefficients of the radius on e0, e1 (the
orthonormal functions of the key of `landscape.py`). The chroma part of F is y0^2 + y1^2 for a cone
and y0^2 for a cylinder. For 'positive' the radius is projected on the functions of constant sign,
|y1| <= max_ratio |y0| (either sign will do: turning u and v by pi flips it). Either it is such a
function already, or it is moved to the border of that set, where the radius is zero at the first
or at the last key: y0 and y1 have a fixed ratio, and the chroma part is (y . border)^2.

So each rule is the best of one or three smooth problems that differ only in their *radius basis*,
the functions of the key whose squared coefficients are summed. 'positive' is the best of the two
borders and of those maxima of the cone that keep their sign: no penalty, no approximation, and
each of the three is as smooth as the cone alone. (Searching the three at once is faster and wrong:
their pointwise maximum has ridges between the points of a grid.)
"""

import numpy as np

RADIUS_RULES = ("cone", "positive", "cylinder")

# A radius basis [function, 2] holds orthonormal rows of coefficients of e0 and e1.
LINEAR_RADIUS = np.eye(2)
CONSTANT_RADIUS = LINEAR_RADIUS[:1]


def border_bases(max_ratio: float) -> list[np.ndarray]:
    """The two radius bases whose radius is zero at the first key, and at the last."""
    return [np.array([[1, sign * max_ratio]]) / np.hypot(1, max_ratio) for sign in (1, -1)]


def max_single_sign_ratio(tau: np.ndarray) -> float:
    """Largest |y1 / y0| for which y0 e0 + y1 e1 keeps its sign on all keys (tau: centred keys)."""
    return 1 / tau[-1]


def best_turn(real: np.ndarray, imag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best turn of the frame about its axis: cos and sin of the angle, arrays of one shape.

    real, imag (function, ...): sigma_j = (e - i f).z_j for an axis with tangents e and f. The turn
    by phi is u = cos e + sin f, v = cos f - sin e, so that u.Re z_j + v.Im z_j = Re(exp(i phi)
    sigma_j): the squares sum to a quadratic form in (cos, sin).
    """
    rr, ii, ri = (real**2).sum(axis=0), (imag**2).sum(axis=0), (real * imag).sum(axis=0)
    phi = -np.arctan2(2 * ri, rr - ii) / 2
    return np.cos(phi), np.sin(phi)


def best_chroma(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    """The chroma part after the best turn: the larger eigenvalue of that quadratic form."""
    if len(real) == 1:
        return real[0] ** 2 + imag[0] ** 2
    rr = real[0] ** 2 + real[1] ** 2
    ii = imag[0] ** 2 + imag[1] ** 2
    ri = real[0] * imag[0] + real[1] * imag[1]
    return (rr + ii) / 2 + np.sqrt(((rr - ii) / 2) ** 2 + ri**2)
