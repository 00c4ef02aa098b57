"""How much memory the SAEs of one job take: known before it starts, as soon as the width is.

Each SAE holds its two matrices and Adam's two moments of them; the gradients of one at a time come
and go. Everything else grows with the batch.
"""

from collections.abc import Sequence
from math import ceil

from rasen.errors import RasenError
from rasen.io.hdf5 import CHUNK_ROWS
from rasen.sae.settings import Setting, in_shard

MB = 1e6
BASE = 600  # MB: Python, torch
HELD = 3 * 2 * 4  # bytes of a weight: itself and two moments, of encoder and decoder
WORKING = 3 * 2 * 4  # the same of one SAE at a time: gradients, copies in bf16, what is being saved
RESERVOIR = 16 * CHUNK_ROWS  # rows, beside the batch and its reconstructions


def needed_mb(settings: Sequence[Setting], d: int) -> float:
    """MB that training these SAEs together on rows of width d takes."""
    weights = [setting.latents(d) * d for setting in settings]
    batch = max(setting.batch for setting in settings)
    rows = 4 * d * (RESERVOIR + 8 * batch)
    winners = 64 * batch * max(setting.k or d for setting in settings)
    return BASE + (HELD * sum(weights) + WORKING * max(weights) + rows + winners) / MB


def require_memory(settings: Sequence[Setting], shards: int, d: int, memory: float) -> None:
    """Refuse `shards` jobs with `memory` MB each that do not hold their SAEs; says how many do."""
    needed = _largest(settings, shards, d)
    if needed <= memory:
        return
    enough = [
        count
        for count in range(shards + 1, len(settings) + 1)
        if _largest(settings, count, d) <= memory
    ]
    largest = ceil(needed_mb([max(settings, key=lambda setting: setting.expansion)], d))
    cure = (
        f"set sae.shards: {enough[0]}"
        if enough
        else f"the largest SAE alone takes {largest}: set sae.training_memory to that or more"
    )
    raise RasenError(
        f"sae.training_memory: {memory:.0f} MB, but the SAEs of one of {shards} jobs take up to "
        f"{ceil(needed)} at width {d}; {cure}"
    )


def _largest(settings, shards, d):
    """MB of the job that needs most."""
    return max(needed_mb(in_shard(settings, number, shards), d) for number in range(shards))
