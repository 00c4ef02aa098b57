"""Sparse codes of every row of a dump, in order."""

from rasen.sae.source import open_source


def codes(sae, source, layer=None, groups=None):
    """Yields (slice of rows, indices [rows, k], values [rows, k]) as arrays, block by block.

    The strongest latent comes first; where fewer than k fire, values end in zeros. For SAEs
    without a fixed k, k is the largest count of the block.
    """
    with open_source(source, layer, groups) as data:
        for start, stop in data.blocks():
            found = sae.encode(data.read(start, stop))
            yield slice(start, stop), found.indices.cpu().numpy(), found.values.cpu().numpy()
