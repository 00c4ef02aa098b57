"""Sparse autoencoders on stored activations: train many at once, load one, read its codes.

from rasen.sae import codes, load, norms, train

table = train("nano/trained/melodies.h5", {"k": [16, 32], "lr": [1e-3, 3e-3]}, 0, "saes", layer=2)
sae = load(f"saes/{table[table.best].sae.iloc[0]}")
for rows, indices, values in codes(sae, "nano/trained/melodies.h5", layer=2):
    ...
"""

from rasen import lazy_exports

_EXPORTS = {
    "codes": "rasen.sae.sparse_codes",
    "features": "rasen.sae.features",
    "load": "rasen.sae.saelens_format",
    "norms": "rasen.sae.metrics",
    "save": "rasen.sae.saelens_format",
    "train": "rasen.sae.trainer",
}
__all__ = list(_EXPORTS)
__getattr__ = lazy_exports(__name__, _EXPORTS)
