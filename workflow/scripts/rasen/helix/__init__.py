"""The pitch helix: exact fits, nulls and intervals. numpy in, numbers out.

    from rasen.helix import fit, reduce

    x = reduce(features)             # (..., keys, dim) -> (..., keys, 3), standardised
    helix = fit(x)                   # arrays of shape (...): helix.helicality, .r2, .omega ...
    evidence = octave_evidence(features)

A large Helicality says that the notes lie on a smooth curve. Whether the curve repeats every
*octave* is tested by `octave_evidence`. Compare both with the nulls `random_baseline`,
`permuted_keys` and `smooth_surrogates` and with the features of `baselines`. `upper_bound` proves
a fit to be the best.
"""

from rasen import lazy_exports

_MODULES = {
    "aligned": ("align_tables",),
    "alignment": ("Alignment", "align_route"),
    "bootstrap": ("PooledIntervals", "bootstrap_pooled"),
    "bound": ("upper_bound",),
    "differences": ("paired_differences",),
    "fitting": ("LITERATURE", "OCTAVE", "Flag", "Helix", "describe_flags", "fit", "fit_triples"),
    "folding": ("folding_scores",),
    "fourier": ("fourier_scores",),
    "held_out": ("held_out_octave", "held_out_p"),
    "judgement": ("judge",),
    "layers": ("fit_layers",),
    "nulls": ("permuted_keys", "random_baseline", "smooth_path", "smooth_surrogates"),
    "octave": ("OctaveEvidence", "octave_contrast", "octave_evidence", "period_curve"),
    "reduction": ("reduce",),
    "settings": ("HelixSettings",),
    "summary": ("summarise_layers",),
    "transfer": ("transferred_r2",),
    "trials": ("best_of_trials",),
}  # fmt: skip
_EXPORTS = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
_EXPORTS |= dict.fromkeys(
    ("Interval", "corrected", "mean_interval", "p_value", "t_test"), "rasen.stats"
)
__all__ = list(_EXPORTS)
__getattr__ = lazy_exports(__name__, _EXPORTS)
