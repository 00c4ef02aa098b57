"""What each kind of SAE minimises. Each function adds gradients to the weights of one SAE.

    topk        k winners a row
    batchtopk   k winners a row on average
    matryoshka  batchtopk, where every prefix of the latents has to reconstruct too
    relu        all positive latents, with l1 * |z|_1 added: the baseline

Rows are normalised already. Losses are divided by the data's variance (a constant), so that the
weight of the auxiliary loss means the same everywhere.
"""

import torch
import torch.nn.functional as F

from rasen.sae.kernel import Encode, bag, choose

PART = 4096  # rows whose winners are handled at once: sums of gradients stay in the cache
DENSE = 512  # rows that a dense layer (relu, revived latents) sees at once
PREFIXES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the latents, for matryoshka


def add_gradients(weights, x, setting, variance, dead):
    """One batch x [rows, d]: adds to `weights`' gradients; returns (loss, fired [n] as bool).

    variance: mean squared distance of a row from the mean row; dead: index of latents to revive
    """
    scale = 1 / (len(x) * variance)
    fired = torch.zeros(len(weights.encoder), dtype=torch.bool, device=x.device)
    loss = torch.zeros((), device=x.device)
    if setting["kind"] == "relu":
        for rows in x.split(DENSE):
            loss += _relu(weights, rows, setting["l1"], scale, fired)
        return loss, fired
    for rows in x.split(PART):
        part, residual = _sparse(weights, rows, setting, scale, fired)
        loss += part
        if setting["aux"] and len(dead):
            share = setting["aux"] * len(rows) / len(x)
            _revive(weights, rows - weights.b_dec.detach(), residual, dead, share)
    return loss, fired


def _sparse(weights, x, setting, scale, fired):
    """topk, batchtopk, matryoshka: (loss, residual [rows, d] of the whole dictionary)."""
    centred = x - weights.b_dec
    index, counts, values = choose(
        centred.detach(),
        weights.encoder.detach(),
        weights.b_enc.detach(),
        setting["k"],
        pooled=setting["kind"] != "topk",
        precision=setting["precision"],
    )
    values = Encode.apply(centred, weights.encoder, weights.b_enc, index, counts, values).relu()
    fired[index[values.detach() > 0]] = True
    if setting["kind"] == "matryoshka":
        made = _prefixes(index, counts, values, weights.decoder)
    else:
        made = bag(index, counts, values, weights.decoder)[:, None]
    made = made + weights.b_dec  # [rows, prefixes, d]
    residual = x[:, None] - made.detach()
    scale /= made.shape[1]
    made.backward(residual * (-2 * scale))  # the gradient of |residual|^2 * scale
    return residual.square().sum() * scale, residual[:, -1]


def _prefixes(index, counts, values, decoder):
    """What the first n/16, n/8 ... n latents make of the rows: [rows, prefixes, d].

    Every prefix is the one before plus its own latents, so each winner is decoded once.
    """
    n, rows, levels = len(decoder), len(counts), len(PREFIXES)
    ends = torch.tensor([round(n * prefix) for prefix in PREFIXES], device=index.device)
    row = torch.repeat_interleave(torch.arange(rows, device=index.device), counts)
    place, order = (row * levels + torch.bucketize(index, ends, right=True)).sort(stable=True)
    counts = torch.bincount(place, minlength=rows * levels)
    return bag(index[order], counts, values[order], decoder).view(rows, levels, -1).cumsum(1)


def _relu(weights, x, l1, scale, fired):
    z = F.linear(x - weights.b_dec, weights.encoder, weights.b_enc).relu()
    residual = x - (z @ weights.decoder + weights.b_dec)
    loss = (residual.square().sum() + l1 * z.sum()) * scale
    loss.backward()
    fired |= (z > 0).any(0)
    return loss.detach()


def _revive(weights, centred, residual, dead, share):
    """AuxK (Gao et al.): dead latents reconstruct what the living left over, up to d/2 a row.

    The error is divided by the residual's variance; `share` weighs it in the loss.
    """
    names = ("encoder", "b_enc", "decoder")
    encoder, bias, decoder = (
        getattr(weights, name).detach()[dead].requires_grad_() for name in names
    )
    variance = (residual - residual.mean(0)).square().sum().clamp_min(1e-30)
    k = min(max(1, centred.shape[1] // 2), len(dead))
    for rows, left in zip(centred.split(DENSE), residual.split(DENSE), strict=True):
        z = F.linear(rows, encoder, bias)
        if k < len(dead):
            best = torch.topk(z, k, sorted=False)
            z = torch.zeros_like(z).scatter(1, best.indices, best.values)
        loss = (left - z.relu() @ decoder).square().sum() * (share / variance)
        loss.backward()
    for name, own in zip(names, (encoder, bias, decoder), strict=True):
        getattr(weights, name).grad.index_add_(0, dead, own.grad)
