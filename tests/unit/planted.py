"""Activations with a planted dictionary, for the tests of SAEs."""

import numpy as np


def planted(rows=40_000, d=32, atoms=96, active=4, huge=0.0, seed=0):
    """Rows [rows, d], each a sum of `active` atoms, and the dictionary [atoms, d] of unit rows.

    huge: share of rows that are like a line break to a language model: one direction, 60 times
    as long as the others
    """
    rng = np.random.default_rng(seed)
    dictionary = unit(rng.standard_normal((atoms, d)))
    chosen = rng.permuted(np.tile(np.arange(atoms), (rows, 1)), axis=1)[:, :active]
    amounts = rng.uniform(0.5, 1.5, (rows, active)) * rng.lognormal(0, 0.5, (rows, 1))
    x = np.einsum("rk,rkd->rd", amounts, dictionary[chosen])
    outliers = rng.random(rows) < huge
    norms = np.linalg.norm(x[outliers], axis=1, keepdims=True)
    x[outliers] = 60 * (0.1 * x[outliers] + norms * unit(rng.standard_normal((1, d))))
    return x.astype(np.float32), dictionary


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def recovered(sae, dictionary):
    """Share of planted atoms that some latent's direction has a cosine above 0.9 with."""
    return float(((sae.decoder.numpy() @ dictionary.T).max(0) > 0.9).mean())
