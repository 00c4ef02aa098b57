"""A trained SAE: rows in, sparse codes out, and back.

    sae = load("results/.../topk-n8192-k32-scalar-lr0.001")
    codes = sae.encode(x)            # indices and values [rows, k], the strongest first
    x_again = sae.decode(codes)      # in x's own units

The tensors are those of SAELens, and so are the values: a latent's activation of the normalised
row. `codes.amounts` are the same in x's units: how far each latent moves x along its direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import ArrayLike

from rasen.sae.kernel import ROWS, largest, pre_activations
from rasen.sae.normalise import normalise_for_stored_sae


@dataclass(frozen=True, eq=False)
class Codes:
    """Sparse activations of rows; where fewer than k fire, a row ends in values 0 at any index.

    So make a dense row by adding values at indices, not by putting them there.
    """

    indices: torch.Tensor  # [rows, k], which latents
    values: torch.Tensor  # [rows, k], how strongly, in units of the normalised rows
    shift: torch.Tensor  # [rows, 1], x = shift + scale * normalised row
    scale: torch.Tensor  # [rows, 1]

    @property
    def amounts(self) -> torch.Tensor:
        """values in units of x [rows, k]."""
        return self.values * self.scale


class SAE:
    """One SAE as stored: tensors (see `rasen.sae.saelens_format`) and the config beside them."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> None:
        self.config = config
        self.encoder = tensors["W_enc"].T.contiguous()  # [n, d]
        self.decoder = tensors["W_dec"]  # [n, d]
        self.b_enc, self.b_dec = tensors["b_enc"], tensors["b_dec"]
        self.threshold = tensors.get("threshold")
        self.n, self.d = self.decoder.shape
        self.k = config.get("k") if config["architecture"] == "topk" else None

    def __repr__(self) -> str:
        kind = self.config["architecture"]
        return f"SAE({kind}, d={self.d}, n={self.n}{f', k={self.k}' if self.k else ''})"

    @torch.no_grad()
    def encode(self, x: torch.Tensor | ArrayLike) -> Codes:
        """Codes of rows x [rows, d] (tensor or array), in original units."""
        x = torch.as_tensor(x, device=self.encoder.device).float()
        rows, shift, scale = normalise_for_stored_sae(self.config["normalize_activations"], x)
        product = pre_activations(self.encoder, self.b_enc)
        blocks = [self._active_latents(product(block - self.b_dec)) for block in rows.split(ROWS)]
        width = max((values.shape[1] for values, _ in blocks), default=0)
        values, indices = (
            torch.cat([_padded(tensor, width) for tensor in tensors])
            for tensors in zip(*blocks, strict=True)
        )
        return Codes(indices, values, shift, scale)

    def _active_latents(self, before):
        """(values, indices) [rows, k] of a block of pre-activations [rows, n], largest first."""
        if self.k:
            values, indices = largest(before, self.k, ordered=True)
            return values.relu(), indices
        floor = 0 if self.threshold is None else self.threshold.clamp_min(0)
        before = torch.where(before > floor, before, 0)
        most = int((before > 0).sum(1).max())
        return largest(before, max(1, most), ordered=True)

    @torch.no_grad()
    def decode(self, codes: Codes) -> torch.Tensor:
        """Rows [rows, d] in original units that the codes stand for."""
        rows = torch.nn.functional.embedding_bag(
            codes.indices, self.decoder, mode="sum", per_sample_weights=codes.values
        )
        return (rows + self.b_dec) * codes.scale + codes.shift

    def reconstruct(self, x: torch.Tensor | ArrayLike) -> torch.Tensor:
        """The reconstruction of rows x [rows, d], in x's units."""
        return self.decode(self.encode(x))


def _padded(tensor, width):
    return torch.nn.functional.pad(tensor, (0, width - tensor.shape[1]))
