"""p-values from draws of a null, and their correction over layers."""

import numpy as np


def p_value(observed, null, axis=-1):
    """Share of the null at least as large, counting the observation itself: never zero.

    observed (...), null (..., draws). NaN observations have the p-value NaN.
    """
    observed, null = np.asarray(observed), np.asarray(null)
    above = (null >= np.expand_dims(observed, axis)).sum(axis=axis)
    p = (1 + above) / (1 + null.shape[axis])
    return np.where(np.isnan(observed), np.nan, p)


def corrected(p, method="false discovery"):
    """p-values (tests,) corrected over their number; NaN stays NaN and does not count.

    "false discovery"  Benjamini-Hochberg: among the layers called significant at q, a share q
                       is expected to be wrong. The default: the question is *which layers*, and
                       neighbouring layers depend on each other positively, where it holds.
    "any error"        Holm: the chance of even one wrong layer is q. For a claim about one layer.
    """
    p = np.asarray(p, dtype=float)
    result = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested])]
    rank = np.arange(1, len(order) + 1)
    if method == "false discovery":
        steps = np.minimum.accumulate((p[order] * len(order) / rank)[::-1])[::-1]
    elif method == "any error":
        steps = np.maximum.accumulate(p[order] * (len(order) + 1 - rank))
    else:
        raise ValueError(f'method={method!r}: "false discovery" or "any error"')
    result[order] = steps.clip(max=1)
    return result
