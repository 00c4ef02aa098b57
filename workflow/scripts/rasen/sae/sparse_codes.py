"""Sparse codes of every row of a dump, in order."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rasen.sae.activation_source import Activations, open_activations

if TYPE_CHECKING:  # torch would slow down jobs that only read tables
    from rasen.sae.model import SAE


def codes(
    sae: "SAE", source: Activations, layer: int | str | None = None, groups: ArrayLike | None = None
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yields (slice of rows, indices [rows, k], values [rows, k]) as arrays, block by block.

    The strongest latent comes first; where fewer than k fire, values end in zeros. For SAEs
    without a fixed k, k is the largest count of the block.
    """
    with open_activations(source, layer, groups) as activations:
        for start, stop in activations.blocks():
            block = sae.encode(activations.read_rows(start, stop))
            yield slice(start, stop), block.indices.cpu().numpy(), block.values.cpu().numpy()
