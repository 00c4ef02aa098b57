"""One SAE in training: its weights, its optimiser, and when each latent last fired."""

import torch

from rasen.sae import folder as folders
from rasen.sae import normalise, weights
from rasen.sae import settings as grids
from rasen.sae.kernel import ROWS, largest, pre_activations
from rasen.sae.losses import add_gradients

FIRED_AT_LAST = 10_000_000  # rows; see dead_after in rasen.sae.settings
EPSILON = 6.25e-10  # of Adam, as Gao et al.: gradients of rare latents are small


class Run:
    """One SAE in training.

    sample: rows [rows, d] of the data, for the first b_dec, variances and factors
    rows:   how many the whole training will see
    """

    def __init__(self, setting, sample, seed, rows):
        self.setting = setting
        self.rms = normalise.size(sample)
        x = normalise.apply(setting["normalise"], sample, self.rms)
        self.variance = float((x - x.mean(0)).double().square().sum(1).mean()) or 1.0
        n = grids.latents(setting, x.shape[1])
        self.weights = weights.start(n, x, seed)
        self.adam = torch.optim.Adam(self.weights.tensors(), fused=True, eps=EPSILON)
        self.silent = torch.zeros(n, dtype=torch.int64, device=x.device)  # rows since it fired
        self.dead_after = setting["dead_after"] or min(FIRED_AT_LAST, max(1, rows // 10))

    def step(self, x, rate):
        """One batch x [rows, d], normalised, at `rate` times the learning rate."""
        dead = torch.nonzero(self.silent >= self.dead_after)[:, 0]
        loss, fired = add_gradients(self.weights, x, self.setting, self.variance, dead)
        self.weights.keep_gradient_on_sphere()
        self.adam.param_groups[0]["lr"] = self.setting["lr"] * rate
        self.adam.step()
        self.weights.normalise_decoder()
        self.adam.zero_grad()
        self.silent += len(x)
        self.silent[fired] = 0
        return loss

    def dead_share(self):
        """Share of latents that did not fire in the last `dead_after` training rows."""
        return float((self.silent >= self.dead_after).float().mean())

    def finish(self, validation, metadata):
        """The SAE as it will be stored, and its loss on validation rows [rows, d]."""
        x = normalise.apply(self.setting["normalise"], validation, self.rms)
        threshold = None
        if self.setting["kind"] in ("batchtopk", "matryoshka"):
            threshold = self.threshold(x)
        sae = folders.finished(self.weights, self.setting, self.rms, threshold, metadata)
        return sae, self.validation_loss(sae, validation, x)

    @torch.no_grad()
    def threshold(self, x):
        """The mean over blocks of rows of the weakest winner: with it, l0 is k on average."""
        before = pre_activations(self.weights.encoder, self.weights.b_enc)
        weakest = [
            largest(before(rows - self.weights.b_dec).view(1, -1), len(rows) * self.setting["k"])[
                0
            ].min()
            for rows in x.split(ROWS)
        ]
        return float(torch.stack(weakest).mean().clamp_min(0))

    @torch.no_grad()
    def validation_loss(self, sae, validation, x):
        """|x - x^|^2 (and l1 |z|_1) as in training, over the variance there."""
        factor = normalise.as_stored(self.setting["normalise"], sae.d, self.rms)
        error, norm = 0.0, 0.0
        for rows, target in zip(validation.split(4096), x.split(4096), strict=True):
            codes = sae.encode(rows)
            codes.shift, codes.scale = 0 * codes.shift, 0 * codes.scale + 1 / factor
            error += float((sae.decode(codes) - target).double().square().sum())
            norm += float(codes.amounts.double().sum())
        return (error + (self.setting["l1"] or 0) * norm) / (len(x) * self.variance)

    def state(self):
        """Everything that changes in training, by name."""
        found = {"silent": self.silent}
        for name, tensor in zip(weights.NAMES, self.weights.tensors(), strict=True):
            found[name] = tensor
            for key, value in self._moments(tensor).items():
                found[f"{name}.{key}"] = value
        return found

    def restore(self, tensors):
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
