"""Training rows in an order that depends on the seed alone: permuted blocks and a reservoir.

Whole blocks are read in seeded order, epoch after epoch; a batch is drawn at random from a
reservoir of at least 8 blocks. The order does not depend on the values, so it is the same for
every SAE and at every checkpoint.
"""

from dataclasses import dataclass

import numpy as np

from rasen.sae.activation_source import BLOCK, ActivationSource
from rasen.seeds import generator

RESERVOIR = 8  # blocks


@dataclass(frozen=True, eq=False)
class StreamPosition:
    """All that the next batches depend on; the values are read again from the source."""

    reservoir: np.ndarray  # [rows], numbers of the rows in the reservoir
    blocks_read: int
    batches_drawn: int


class BatchStream:
    """Batches of the rows of `source` that are marked in `wanted` [rows]."""

    def __init__(self, source: ActivationSource, wanted: np.ndarray, seed: int, batch: int) -> None:
        self.source, self.wanted, self.seed, self.batch = source, wanted, seed, batch
        self.blocks = source.blocks()
        # rows to draw from: 8 blocks, or all there are
        self.least = max(min(RESERVOIR * BLOCK, int(wanted.sum())), 4 * batch)
        self.values = np.empty((self.least + BLOCK, source.d), source.data.dtype)
        self.numbers = np.empty(self.least + BLOCK, np.int64)
        self.filled = self.blocks_read = self.batches_drawn = 0

    def position(self) -> StreamPosition:
        """From where `restore` goes on."""
        return StreamPosition(
            self.numbers[: self.filled].copy(), self.blocks_read, self.batches_drawn
        )

    def restore(self, position: StreamPosition) -> None:
        """Go on from a position."""
        numbers = position.reservoir
        self.blocks_read, self.batches_drawn = position.blocks_read, position.batches_drawn
        self.filled = len(numbers)
        self.numbers[: self.filled] = numbers
        ascending, place = np.unique(numbers, return_inverse=True)
        self.values[: self.filled] = self.source.take(ascending)[place]

    def fill_reservoir(self) -> None:
        """Read blocks until the reservoir is full."""
        while self.filled < self.least:
            epoch, block = divmod(self.blocks_read, len(self.blocks))
            order = generator(self.seed, "sae", "blocks", epoch).permutation(len(self.blocks))
            start, stop = self.blocks[order[block]]
            self.blocks_read += 1
            keep = np.flatnonzero(self.wanted[start:stop])
            if len(keep):
                new = slice(self.filled, self.filled + len(keep))
                self.values[new] = self.source.read_rows(start, stop)[keep]
                self.numbers[new] = start + keep
                self.filled += len(keep)

    def next_batch(self) -> np.ndarray:
        """One batch of rows [batch, d], in the stored dtype."""
        self.fill_reservoir()
        rng = generator(self.seed, "sae", "draw", self.batches_drawn)
        self.batches_drawn += 1
        chosen = rng.choice(self.filled, self.batch, replace=False)
        rows = self.values[chosen]
        remaining = self.filled - self.batch  # rows beyond it fill the holes before it
        kept = np.ones(self.batch, bool)
        kept[chosen[chosen >= remaining] - remaining] = False
        holes = np.sort(chosen[chosen < remaining])
        self.values[holes] = self.values[remaining : self.filled][kept]
        self.numbers[holes] = self.numbers[remaining : self.filled][kept]
        self.filled = remaining
        return rows
