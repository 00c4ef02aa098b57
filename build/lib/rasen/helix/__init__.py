"""The pitch helix: exact fits and honest statistics. numpy in, numbers out.

    from rasen.helix import fit, reduce

    x = reduce(features)             # (..., keys, dim) -> (..., keys, 3), standardised
    helix = fit(x)                   # arrays of shape (...): helix.helicality, .r2, .omega ...
    evidence = octave_evidence(features)

A large Helicality says that the notes lie on a smooth curve. Whether it is an *octave* that the
curve repeats is a question of its own: `octave_evidence`. What either number is worth is told by
`random_baseline`, `permuted`, `smooth_surrogates` and by the features of `baselines`.
"""

from rasen import lazy_exports

_MODULES = {
    "bootstrap": ("bootstrap_mean", "bootstrap_pooled"),
    "bound": ("upper_bound",),
    "fitting": ("LITERATURE", "OCTAVE", "Flag", "Helix", "describe", "fit", "fit_triples"),
    "layers": ("HelixSettings", "fit_layers", "summarise_layers"),
    "nulls": ("permuted", "random_baseline", "smooth_paths", "smooth_surrogates"),
    "octave": (
        "Octave", "fold", "held_out_octave", "octave_contrast", "octave_evidence", "period_curve",
    ),
    "reduction": ("reduce",),
    "trials": ("best_of_trials",),
}  # fmt: skip
_EXPORTS = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
_EXPORTS |= dict.fromkeys(("Interval", "corrected", "p_value"), "rasen.stats")
__all__ = list(_EXPORTS)
__getattr__ = lazy_exports(__name__, _EXPORTS)
