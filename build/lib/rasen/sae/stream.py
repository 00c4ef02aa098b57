"""Training rows in an order that depends on the seed alone: permuted blocks and a reservoir.

Whole blocks are read in seeded order, epoch after epoch; a batch is drawn at random from a
reservoir of at least 8 blocks. The order knows nothing of the values, so it is the same for every
SAE and at every checkpoint.
"""

import numpy as np

from rasen.sae.source import BLOCK
from rasen.seeds import generator

RESERVOIR = 8  # blocks


class Stream:
    """Batches of the rows of `source` that are marked in `wanted` [rows]."""

    def __init__(self, source, wanted, seed, batch):
        self.source, self.wanted, self.seed, self.batch = source, wanted, seed, batch
        self.blocks = source.blocks()
        # rows to draw from: 8 blocks, or all there are
        self.least = max(min(RESERVOIR * BLOCK, int(wanted.sum())), 4 * batch)
        self.values = np.empty((self.least + BLOCK, source.d), source.data.dtype)
        self.numbers = np.empty(self.least + BLOCK, np.int64)
        self.filled = self.read = self.drawn = 0

    def state(self):
        """All that the next batches depend on; the values are read again from the source."""
        return {
            "numbers": self.numbers[: self.filled].copy(),
            "read": self.read,
            "drawn": self.drawn,
        }

    def restore(self, numbers, read, drawn):
        self.filled, self.read, self.drawn = len(numbers), read, drawn
        self.numbers[: self.filled] = numbers
        once, where = np.unique(numbers, return_inverse=True)
        self.values[: self.filled] = self.source.take(once)[where]

    def fill(self):
        """Read blocks until the reservoir is full."""
        while self.filled < self.least:
            epoch, at = divmod(self.read, len(self.blocks))
            order = generator(self.seed, "sae", "blocks", epoch).permutation(len(self.blocks))
            start, stop = self.blocks[order[at]]
            self.read += 1
            keep = np.flatnonzero(self.wanted[start:stop])
            if len(keep):
                new = slice(self.filled, self.filled + len(keep))
                self.values[new] = self.source.read(start, stop)[keep]
                self.numbers[new] = start + keep
                self.filled += len(keep)

    def next(self):
        """One batch of rows [batch, d], in the stored dtype."""
        self.fill()
        rng = generator(self.seed, "sae", "draw", self.drawn)
        self.drawn += 1
        chosen = rng.choice(self.filled, self.batch, replace=False)
        rows = self.values[chosen]
        left = self.filled - self.batch  # rows from beyond this mark fill the holes before it
        kept = np.ones(self.batch, bool)
        kept[chosen[chosen >= left] - left] = False
        holes = np.sort(chosen[chosen < left])
        self.values[holes] = self.values[left : self.filled][kept]
        self.numbers[holes] = self.numbers[left : self.filled][kept]
        self.filled = left
        return rows
