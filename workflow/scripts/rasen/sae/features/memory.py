"""How much memory a job needs that tallies, labels or matches features: known before it starts."""

from math import ceil

from rasen.errors import RasenError
from rasen.sae.features import labels, tally

MB = 1e6
BASE = 900  # MB: Python, torch and what the families import
PER_FEATURE = 25_000  # bytes: counts, maxima, up to 50 examples with their contexts
PER_ACTIVATION = 200  # bytes of each activation of a part, while it is sorted
PER_LABELLED = 40  # bytes of each activation of the units that labels are tested on


def needed_mb(n: int, d: int, activations: float) -> float:
    """MB that a tally of n latents of width d takes, in which `activations` latents fire.

    It grows with the latents and, up to a bound, with the activations; never with the rows.
    """
    weights = 4 * 4 * n * d  # both matrices, and each once more as it is read
    part = PER_ACTIVATION * min(activations, tally.PART)
    labelled = PER_LABELLED * min(activations, labels.MOST)
    return BASE + (weights + PER_FEATURE * n + part + labelled) / MB


def require_memory(memory: int, n: int, d: int, activations: float) -> None:
    """Refuse to start a job with too little memory (MB); names the setting that gives more."""
    needed = needed_mb(n, d, activations)
    if memory < needed:
        raise RasenError(
            f"sae.memory: {memory} MB, but a tally of {n} latents of width {d} takes up to "
            f"{needed:.0f}; set sae.memory: {ceil(needed / 500) * 500}"
        )
