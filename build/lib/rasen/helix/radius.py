"""What the radius of the helix may do along the keys.

    cone       r(t) = any linear function: eq. (1) as printed. Its radius may change sign inside
               the keys (a double cone), which no helix does and most spectra ask for
    positive   r(t) linear and >= 0 on all keys
    cylinder   r(t) constant

With the frame fixed, let y_k be the least-squares coefficients of the radius on e0, e1 (unit
functions of the key, see `landscape.py`). The chroma part of F is y0^2 + y1^2 for a cone and
y0^2 for a cylinder. For 'positive' the radius is projected on the functions that keep one sign,
|y1| <= edge |y0| (which sign is free: turning u and v by pi flips it). Either it is such a
function already, or it is moved to the border, where the radius is zero at the first or at the
last key: y0 and y1 stand in a fixed ratio, and the chroma part is (y . border)^2.

So each rule is the best of one or three smooth problems that differ only in their *windows*,
the unit functions of the key whose squared coefficients are summed. 'positive' is the best of
the two borders and of those maxima of the cone that keep their sign: no penalty, no
approximation, and each of the three is as smooth as the cone alone. (To search the three at
once is faster and wrong: their maximum has ridges that a grid steps over.)
"""

import numpy as np

RULES = ("cone", "positive", "cylinder")

BOTH = np.eye(2)  # windows as rows of coefficients of e0 and e1
CONSTANT = BOTH[:1]


def borders(edge):
    """The windows whose radius is zero at the first key, and at the last."""
    return [np.array([[1, sign * edge]]) / np.hypot(1, edge) for sign in (1, -1)]


def edge_of(tau):
    """Largest |y1 / y0| for which y0 e0 + y1 e1 keeps its sign on all keys (tau: centred keys)."""
    return 1 / tau[-1]


def best_turn(real, imag):
    """Best turn of the frame about its axis: cos and sin of the angle, arrays of one shape.

    real, imag (window, ...): sigma_j = (e - i f).z_j for an axis with tangents e and f. The turn
    by phi is u = cos e + sin f, v = cos f - sin e, so that u.Re z_j + v.Im z_j = Re(exp(i phi)
    sigma_j): the squares sum to a quadratic form in (cos, sin).
    """
    rr, ii, ri = (real**2).sum(axis=0), (imag**2).sum(axis=0), (real * imag).sum(axis=0)
    phi = -np.arctan2(2 * ri, rr - ii) / 2
    return np.cos(phi), np.sin(phi)


def best_chroma(real, imag):
    """The chroma part after the best turn: the larger eigenvalue of that quadratic form."""
    if len(real) == 1:
        return real[0] ** 2 + imag[0] ** 2
    rr = real[0] ** 2 + real[1] ** 2
    ii = imag[0] ** 2 + imag[1] ** 2
    ri = real[0] * imag[0] + real[1] * imag[1]
    return (rr + ii) / 2 + np.sqrt(((rr - ii) / 2) ** 2 + ri**2)
