"""The loss of each kind of SAE; its gradients are added to the weights of one SAE.

    topk        k latents per row
    batchtopk   k latents per row on average
    matryoshka  batchtopk, where every prefix of the latents has to reconstruct too
    relu        all positive latents, with l1 * |z|_1 added: the baseline

Rows are normalised already. Losses are divided by the data's variance (a constant), so that the
weight of the auxiliary loss means the same everywhere.
"""

import torch
import torch.nn.functional as F

from rasen.sae.kernel import ByLatent, Winners, choose_winners, dots, weighted_sums
from rasen.sae.settings import Setting
from rasen.sae.training_weights import TrainingWeights

ROWS = 4096  # rows whose winners are handled at once: sums of gradients stay in the cache
DENSE_ROWS = 512  # rows that a dense layer (relu, revived latents) gets at once
PREFIXES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the latents, for matryoshka


def add_gradients(
    weights: TrainingWeights,
    x: torch.Tensor,
    setting: Setting,
    variance: float,
    dead: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One batch x [rows, d]: adds to `weights`' gradients; returns (loss, fired [n] as bool).

    variance: mean squared distance of a row from the mean row; dead: index of latents to revive
    """
    scale = 1 / (len(x) * variance)
    fired = torch.zeros(len(weights.encoder), dtype=torch.bool, device=x.device)
    loss = torch.zeros((), device=x.device)
    if setting.kind == "relu":
        for rows in x.split(DENSE_ROWS):
            loss += _relu_loss(weights, rows, setting.l1, scale, fired)
        return loss, fired
    for rows in x.split(ROWS):
        loss_of_rows, residual = _sparse_loss(weights, rows, setting, scale, fired)
        loss += loss_of_rows
        if setting.aux and len(dead):
            share = setting.aux * len(rows) / len(x)
            _revive(weights, rows - weights.b_dec.detach(), residual, dead, share)
    return loss, fired


@torch.no_grad()
def _sparse_loss(weights, x, setting, scale, fired):
    """topk, batchtopk, matryoshka: (loss, residual [rows, d] of the whole dictionary).

    The gradients are written out: autograd would run each sum forward once more to undo it.
    """
    n, d = weights.decoder.shape
    centred = x - weights.b_dec
    winners = choose_winners(
        centred,
        weights.encoder,
        weights.b_enc,
        setting.k,
        pooled=setting.kind != "topk",
        precision=setting.precision,
    )
    prefixes = PREFIXES if setting.kind == "matryoshka" else (1,)
    (index, counts, before), bags = _by_prefix(winners, n, prefixes)
    values = before.relu()
    active = (values > 0).float()
    fired |= torch.bincount(index, active, n) > 0

    parts = weighted_sums(index, bags, values, weights.decoder).view(len(x), len(prefixes), d)
    # every prefix is the one before plus its own latents, so each winner is decoded once
    residual = centred[:, None] - _running_sums(parts)  # [rows, prefixes, d]
    scale /= len(prefixes)
    by_prefix = residual * (-2 * scale)  # the gradient of |residual|^2 * scale
    by_part = _running_sums(by_prefix.flip(1)).flip(1).flatten(0, 1)  # it serves all later ones
    by_value = dots(index, bags, by_part, weights.decoder) * active

    by_latent = ByLatent.of(index, n)
    by_b_enc = torch.bincount(index, by_value, n)
    _add_gradient(weights.decoder, by_latent.sums(bags, values, by_part))
    _add_gradient(weights.encoder, by_latent.sums(counts, by_value, centred))
    _add_gradient(weights.b_enc, by_b_enc)
    _add_gradient(weights.b_dec, by_prefix.sum((0, 1)) - by_b_enc @ weights.encoder)
    return residual.square().sum() * scale, residual[:, -1]


def _running_sums(parts):
    """Sums of the parts [rows, parts, d] up to each; of a single part a copy would be wasted."""
    return parts.cumsum(1) if parts.shape[1] > 1 else parts


def _by_prefix(winners, n, prefixes):
    """Winners of each row in the order of the prefixes that hold them, and how many of each row
    and prefix are in no shorter one [rows * prefixes]."""
    index, counts, values = winners
    rows, levels = len(counts), len(prefixes)
    if levels == 1:
        return winners, counts
    ends = torch.tensor([round(n * prefix) for prefix in prefixes], device=index.device)
    row = torch.repeat_interleave(torch.arange(rows, device=index.device), counts)
    place, order = (row * levels + torch.bucketize(index, ends, right=True)).sort(stable=True)
    bags = torch.bincount(place, minlength=rows * levels)
    return Winners(index[order], counts, values[order]), bags


def _add_gradient(tensor, gradient):
    tensor.grad = gradient if tensor.grad is None else tensor.grad.add_(gradient)


def _relu_loss(weights, x, l1, scale, fired):
    z = F.linear(x - weights.b_dec, weights.encoder, weights.b_enc).relu()
    residual = x - (z @ weights.decoder + weights.b_dec)
    loss = (residual.square().sum() + l1 * z.sum()) * scale
    loss.backward()
    fired |= (z > 0).any(0)
    return loss.detach()


def _revive(weights, centred, residual, dead, share):
    """AuxK (Gao et al.): dead latents reconstruct the residual of the others, up to d/2 per row.

    The error is divided by the residual's variance; `share` weighs it in the loss.
    """
    names = ("encoder", "b_enc", "decoder")
    encoder, bias, decoder = (
        getattr(weights, name).detach()[dead].requires_grad_() for name in names
    )
    variance = (residual - residual.mean(0)).square().sum().clamp_min(1e-30)
    k = min(max(1, centred.shape[1] // 2), len(dead))
    for rows, target in zip(centred.split(DENSE_ROWS), residual.split(DENSE_ROWS), strict=True):
        z = F.linear(rows, encoder, bias)
        if k < len(dead):
            best = torch.topk(z, k, sorted=False)
            z = torch.zeros_like(z).scatter(1, best.indices, best.values)
        loss = (target - z.relu() @ decoder).square().sum() * (share / variance)
        loss.backward()
    for name, tensor in zip(names, (encoder, bias, decoder), strict=True):
        getattr(weights, name).grad.index_add_(0, dead, tensor.grad)
