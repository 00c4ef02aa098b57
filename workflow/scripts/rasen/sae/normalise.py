"""Input normalisations, and how each is expressed in SAELens' terms.

    none      x
    rms       x / s, one number for all: the root of the mean squared row norm
    scalar    x / |x|, each row of unit norm
    standard  (x - mean) / std over each row's own features (std unbiased)

Activations of an SAE scale with its input, and so does the choice of its k largest; hence a factor
that is the same for all rows can be moved into the biases, and `scalar` can be stored as SAELens'
rescaling to norm sqrt(d).
"""

import torch

KINDS = ("none", "rms", "scalar", "standard")
SAELENS = {
    "none": "none",
    "rms": "none",
    "scalar": "constant_norm_rescale",
    "standard": "layer_norm",
}
EPSILON = 1e-5  # of SAELens' layer_norm


def rms_norm(x: torch.Tensor) -> float:
    """Root of the mean squared norm of rows [rows, d]; 1 where all are zero."""
    return float(x.double().square().sum(1).mean().sqrt()) or 1.0


def normalise_rows(kind: str, x: torch.Tensor, rms: float = 1.0) -> torch.Tensor:
    """Rows [rows, d] as the training sees them."""
    if kind == "none":
        return x
    if kind == "rms":
        return x / rms
    if kind == "scalar":
        return x / x.norm(dim=1, keepdim=True).clamp_min(1e-30)
    centred = x - x.mean(1, keepdim=True)
    return centred / (centred.std(1, keepdim=True) + EPSILON)


def stored_factor(kind: str, d: int, rms: float = 1.0) -> float:
    """By what the biases (and thresholds) of training are multiplied in the stored SAE."""
    return {"none": 1.0, "rms": rms, "scalar": d**0.5, "standard": 1.0}[kind]


def normalise_for_stored_sae(
    saelens_kind: str, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A stored SAE's own normalisation: (rows, shift, scale) with x = shift + scale * rows."""
    one = torch.ones(len(x), 1, device=x.device)
    if saelens_kind == "constant_norm_rescale":
        scale = x.norm(dim=1, keepdim=True).clamp_min(1e-30) / x.shape[1] ** 0.5
        return x / scale, 0 * one, scale
    if saelens_kind == "layer_norm":
        shift = x.mean(1, keepdim=True)
        centred = x - shift
        scale = centred.std(1, keepdim=True)
        return centred / (scale + EPSILON), shift, scale
    return x, 0 * one, one
