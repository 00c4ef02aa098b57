"""A trained SAE: rows in, sparse codes out, and back.

    sae = load("results/.../topk-n8192-k32-scalar-lr0.001")
    codes = sae.encode(x)            # indices and values [rows, k], the strongest first
    x_again = sae.decode(codes)      # in x's own units

The tensors are those of SAELens, and so are the values: a latent's activation of the normalised
row. `codes.amounts` are the same in x's units: how far each latent moves x along its direction.
"""

from dataclasses import dataclass

import torch

from rasen.sae import normalise
from rasen.sae.kernel import ROWS, largest, pre_activations


@dataclass
class Codes:
    """Sparse activations of rows; where fewer than k fire, a row ends in values 0 at any index.

    So make a dense row by adding values at indices, not by putting them there.
    """

    indices: torch.Tensor  # [rows, k], which latents
    values: torch.Tensor  # [rows, k], how strongly, in units of the normalised rows
    shift: torch.Tensor  # [rows, 1], x = shift + scale * normalised row
    scale: torch.Tensor  # [rows, 1]

    @property
    def amounts(self):
        """values in units of x [rows, k]."""
        return self.values * self.scale


class SAE:
    """One SAE as stored: tensors (see `rasen.sae.folder`) and the config beside them."""

    def __init__(self, tensors, config):
        self.config = config
        self.encoder = tensors["W_enc"].T.contiguous()  # [n, d]
        self.decoder = tensors["W_dec"]  # [n, d]
        self.b_enc, self.b_dec = tensors["b_enc"], tensors["b_dec"]
        self.threshold = tensors.get("threshold")
        self.n, self.d = self.decoder.shape
        self.k = config.get("k") if config["architecture"] == "topk" else None

    def __repr__(self):
        kind = self.config["architecture"]
        return f"SAE({kind}, d={self.d}, n={self.n}{f', k={self.k}' if self.k else ''})"

    @torch.no_grad()
    def encode(self, x):
        """Codes of rows x [rows, d] (tensor or array), in original units."""
        x = torch.as_tensor(x, device=self.encoder.device).float()
        rows, shift, scale = normalise.enter(self.config["normalize_activations"], x)
        before = pre_activations(self.encoder, self.b_enc)
        found = [self._winners(before(part - self.b_dec)) for part in rows.split(ROWS)]
        width = max((values.shape[1] for values, _ in found), default=0)
        values, indices = (
            torch.cat([_widen(part, width) for part in parts]) for parts in zip(*found, strict=True)
        )
        return Codes(indices, values, shift, scale)

    def _winners(self, before):
        """(values, indices) [rows, k] of a block of pre-activations [rows, n], largest first."""
        if self.k:
            values, indices = largest(before, self.k, ordered=True)
            return values.relu(), indices
        floor = 0 if self.threshold is None else self.threshold.clamp_min(0)
        before = torch.where(before > floor, before, 0)
        most = int((before > 0).sum(1).max())
        return largest(before, max(1, most), ordered=True)

    @torch.no_grad()
    def decode(self, codes):
        """Rows [rows, d] in original units that the codes stand for."""
        made = torch.nn.functional.embedding_bag(
            codes.indices, self.decoder, mode="sum", per_sample_weights=codes.values
        )
        return (made + self.b_dec) * codes.scale + codes.shift

    def reconstruct(self, x):
        """x [rows, d] as the SAE sees it, in x's units."""
        return self.decode(self.encode(x))


def _widen(part, width):
    return torch.nn.functional.pad(part, (0, width - part.shape[1]))
