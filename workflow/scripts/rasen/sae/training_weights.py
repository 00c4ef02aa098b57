"""The tensors of one SAE in training: how they start, and what keeps the decoder's norm."""

from dataclasses import dataclass

import numpy as np
import torch

from rasen.seeds import generator

ENCODER_SCALE = 0.58  # of the decoder; measured best (FVU .1197 against .1245 for 1)
NAMES = ("encoder", "decoder", "b_enc", "b_dec")


@dataclass(eq=False)
class TrainingWeights:
    """encoder and decoder [n, d], b_enc [n], b_dec [d]; a decoder's row is a latent's direction."""

    encoder: torch.Tensor
    decoder: torch.Tensor
    b_enc: torch.Tensor
    b_dec: torch.Tensor

    def tensors(self) -> list[torch.Tensor]:
        """The four tensors, in the order of NAMES."""
        return [getattr(self, name) for name in NAMES]

    @torch.no_grad()
    def keep_gradient_on_sphere(self) -> None:
        """Take the part that would change a direction's length out of the decoder's gradient."""
        along = torch.linalg.vecdot(self.decoder.grad, self.decoder)
        self.decoder.grad.addcmul_(self.decoder, along[:, None], value=-1)

    @torch.no_grad()
    def normalise_decoder(self) -> None:
        """Give every direction the length 1."""
        norms = self.decoder.norm(dim=1, keepdim=True)
        self.decoder.div_(norms.clamp_min(1e-30))


def initial_weights(n: int, sample: torch.Tensor, seed: int) -> TrainingWeights:
    """Weights for n latents: random directions, b_dec at the median of sample [rows, d]."""
    d = sample.shape[1]
    drawn = generator(seed, "sae", "decoder", n).standard_normal((n, d), np.float32)
    decoder = torch.from_numpy(drawn).to(sample.device)
    decoder /= decoder.norm(dim=1, keepdim=True)
    weights = TrainingWeights(
        encoder=ENCODER_SCALE * decoder,
        decoder=decoder,
        b_enc=torch.zeros(n, device=sample.device),
        b_dec=geometric_median(sample),
    )
    for tensor in weights.tensors():
        tensor.requires_grad_()
    return weights


def geometric_median(x: torch.Tensor, rounds: int = 100, tolerance: float = 1e-5) -> torch.Tensor:
    """The point [d] with the least summed distance to rows x [rows, d] (Weiszfeld)."""
    x = x.double()
    median = x.mean(0)
    for _ in range(rounds):
        closeness = 1 / (x - median).norm(dim=1).clamp_min(1e-12)
        moved = closeness @ x / closeness.sum()
        converged = (moved - median).norm() <= tolerance * moved.norm()
        median = moved
        if converged:
            break
    return median.float()
