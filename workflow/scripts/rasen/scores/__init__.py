"""Scores of songs: phonemes, embeddings, sections and ratings in, numbers with intervals out.

    from rasen.scores import fad, mcc, mos, per, ser

    rate = per(references, heard)      # phonemes of each song: rate.value, .low, .high
    fad(x, y)                          # embeddings [n, d] and [m, d]
    ser(found, targets).dtw.value      # (start, end, label) against (label, seconds)

Nothing here reads sound: the stages of `rules/scores.smk` make phonemes, sections and embeddings.
Read PER beside that of real recordings, FAD with its embedding and n, SER as both of its rates.
"""

from rasen import lazy_exports

_MODULES = {
    "phonemes": ("per", "edits", "without_tones"),
    "frechet": ("fad", "fad_infinity", "fad_interval"),
    "sections": ("ser", "dtw_error"),
    "agreement": ("mcc", "mos"),
    "rates": ("Rate",),
    "paper": ("PAPER", "SOURCE"),
}
_EXPORTS = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
__all__ = list(_EXPORTS)
__getattr__ = lazy_exports(__name__, _EXPORTS)
