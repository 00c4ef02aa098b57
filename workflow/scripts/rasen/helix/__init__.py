"""The pitch helix: exact fits and honest statistics. numpy in, numbers out.

    from rasen.helix import fit, reduce

    x = reduce(features)             # (..., keys, dim) -> (..., keys, 3), standardised
    helix = fit(x)                   # arrays of shape (...): helix.helicality, .r2, .omega ...
    evidence = octave_evidence(features)

A large Helicality says that the notes lie on a smooth curve. Whether it is an *octave* that the
curve repeats is a question of its own: `octave_evidence`. What either number is worth is told by
`random_baseline`, `permuted`, `smooth_surrogates` and by the features of `baselines`.
"""

from rasen.helix.bootstrap import Interval, bootstrap_mean, bootstrap_pooled
from rasen.helix.bound import upper_bound
from rasen.helix.fitting import LITERATURE, OCTAVE, Flag, Helix, describe, fit, fit_triples
from rasen.helix.nulls import permuted, random_baseline, smooth_paths, smooth_surrogates
from rasen.helix.octave import (
    Octave,
    fold,
    held_out_octave,
    octave_contrast,
    octave_evidence,
    period_curve,
)
from rasen.helix.reduction import reduce
from rasen.helix.significance import corrected, p_value
from rasen.helix.trials import trials

__all__ = [
    "LITERATURE",
    "OCTAVE",
    "Flag",
    "Helix",
    "Interval",
    "Octave",
    "bootstrap_mean",
    "bootstrap_pooled",
    "corrected",
    "describe",
    "fit",
    "fit_triples",
    "fold",
    "held_out_octave",
    "octave_contrast",
    "octave_evidence",
    "p_value",
    "period_curve",
    "permuted",
    "random_baseline",
    "reduce",
    "smooth_paths",
    "smooth_surrogates",
    "trials",
    "upper_bound",
]
