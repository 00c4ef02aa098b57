"""Probes of layers, and similarity between them: arrays in, tidy tables out.

    from rasen.probes import probe, similarity

    rows = probe({6: x}, {"pitch_class": y}, groups, kind="ridge", seed=0)   # x [n, d]
    rows = similarity({"a": x, "b": z}, kinds=["cka", "pwcca"])

Read a score beside `chance`, the row "permuted" and the features of sound alone that you give as
`baselines`; and the best layer as the features "selected", which is chosen on inner folds. The
split "random" leaks: see `ProbeSettings`.
"""

from rasen import lazy_exports

_MODULES = {
    "probing": ("probe",),
    "settings": ("ProbeSettings",),
    "compare": ("similarity",),
    "tasks": ("Task",),
}
_EXPORTS = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
__all__ = list(_EXPORTS)
__getattr__ = lazy_exports(__name__, _EXPORTS)
