"""Random numbers that depend on a seed and a name, never on what was drawn before."""

import hashlib

import numpy as np


def generator(seed: int, *names: object) -> np.random.Generator:
    """A numpy Generator for one named purpose: equal seed and names give equal numbers.

    SFC64 is the fastest of numpy's bit generators; the names are hashed, so any tensor, clip or
    bootstrap can be made alone, in any order, in any process.
    """
    text = "\x1f".join(str(name) for name in names)
    digest = hashlib.sha256(text.encode()).digest()
    words = np.frombuffer(digest, dtype=np.uint32).tolist()
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([int(seed), *words])))
