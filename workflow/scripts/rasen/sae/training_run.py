"""One SAE in training: its weights, its optimiser, and when each latent last fired."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from rasen.sae import normalise, training_weights
from rasen.sae.kernel import ROWS, largest, pre_activations
from rasen.sae.losses import add_gradients
from rasen.sae.metrics import CONSTANT
from rasen.sae.model import SAE
from rasen.sae.saelens_format import as_saelens, as_training
from rasen.sae.settings import Setting

MOST_DEAD_AFTER = 10_000_000  # rows; see dead_after in rasen.sae.settings
EPSILON = 6.25e-10  # of Adam, as Gao et al.: gradients of rare latents are small
BLOCK = 4096  # rows of the validation loss at once


class TrainingRun:
    """One SAE in training.

    sample: rows [rows, d] of the data, for the first b_dec, variances and factors
    seed:   of the first weights, unless the setting has its own
    rows:   how many the whole training will see
    start:  the SAE that it starts as, instead of random directions
    """

    def __init__(
        self,
        setting: Setting,
        sample: torch.Tensor,
        seed: int,
        rows: int,
        start: SAE | None = None,
    ) -> None:
        self.setting = setting
        self.seed = seed if setting.seed is None else setting.seed
        self.rms = normalise.rms_norm(sample)
        x = normalise.normalise_rows(setting.normalise, sample, self.rms)
        variance = (x - x.mean(0)).double().square().sum(1).mean()
        constant = variance <= CONSTANT * x.double().square().sum(1).mean()
        self.variance = 1.0 if constant else float(variance)
        n = setting.latents(x.shape[1])
        if start is None:
            self.weights = training_weights.initial_weights(n, x, self.seed)
        else:
            self.weights = as_training(start, setting, self.rms)
        self.adam = torch.optim.Adam(self.weights.tensors(), fused=True, eps=EPSILON)
        self.silent = torch.zeros(n, dtype=torch.int64, device=x.device)  # rows since it fired
        self.dead_after = setting.dead_after or min(MOST_DEAD_AFTER, max(1, rows // 10))

    def step(self, x: torch.Tensor, lr_factor: float) -> torch.Tensor:
        """One batch x [rows, d], normalised, at a factor of the learning rate; returns the loss."""
        dead = torch.nonzero(self.silent >= self.dead_after)[:, 0]
        loss, fired = add_gradients(self.weights, x, self.setting, self.variance, dead)
        self.weights.keep_gradient_on_sphere()
        self.adam.param_groups[0]["lr"] = self.setting.lr * lr_factor
        self.adam.step()
        self.weights.normalise_decoder()
        self.adam.zero_grad()
        self.silent += len(x)
        self.silent[fired] = 0
        return loss

    def dead_share(self) -> float:
        """Share of latents that did not fire in the last `dead_after` training rows."""
        return float((self.silent >= self.dead_after).float().mean())

    def finish(
        self, validation: torch.Tensor, metadata: Mapping[str, Any] | None
    ) -> tuple[SAE, float]:
        """The SAE as it will be stored, and its loss on validation rows [rows, d]."""
        x = normalise.normalise_rows(self.setting.normalise, validation, self.rms)
        threshold = None
        if self.setting.kind in ("batchtopk", "matryoshka"):
            threshold = self._threshold(x, self.setting.k)
        sae = as_saelens(self.weights, self.setting, self.rms, threshold, metadata)
        return sae, self._validation_loss(sae, validation, x)

    @torch.no_grad()
    def _threshold(self, x, k):
        """Mean over blocks of rows of the smallest of the k largest per row: l0 is then k."""
        product = pre_activations(self.weights.encoder, self.weights.b_enc)
        weakest = []
        for rows in x.split(ROWS):
            before = product(rows - self.weights.b_dec).view(1, -1)
            winners, _ = largest(before, len(rows) * k)
            weakest.append(winners.min())
        return float(torch.stack(weakest).mean().clamp_min(0))

    @torch.no_grad()
    def _validation_loss(self, sae, validation, x):
        """|x - x^|^2 (and l1 |z|_1) as in training, over the variance there."""
        factor = normalise.stored_factor(self.setting.normalise, sae.d, self.rms)
        error, norm = 0.0, 0.0
        for rows, target in zip(validation.split(BLOCK), x.split(BLOCK), strict=True):
            codes = sae.encode(rows)
            in_training_units = replace(
                codes,
                shift=torch.zeros_like(codes.shift),
                scale=torch.full_like(codes.scale, 1 / factor),
            )
            reconstruction = sae.decode(in_training_units)
            error += float((reconstruction - target).double().square().sum())
            norm += float(in_training_units.amounts.double().sum())
        return (error + (self.setting.l1 or 0) * norm) / (len(x) * self.variance)

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that changes in training, by name."""
        state = {"silent": self.silent}
        for name, tensor in zip(training_weights.NAMES, self.weights.tensors(), strict=True):
            state[name] = tensor
            for key, value in self._moments(tensor).items():
                state[f"{name}.{key}"] = value
        return state

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set what `state` gave."""
        with torch.no_grad():
            for name, tensor in self.state().items():
                tensor.copy_(tensors[name])

    def _moments(self, tensor):
        """Adam's tensors for one of the weights; made with zeros before the first step."""
        moments = self.adam.state[tensor]
        if not moments:
            moments["step"] = torch.zeros((), device=tensor.device)
            moments["exp_avg"] = torch.zeros_like(tensor)
            moments["exp_avg_sq"] = torch.zeros_like(tensor)
        return moments
