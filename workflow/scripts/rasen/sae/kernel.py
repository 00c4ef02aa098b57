"""The sparse arithmetic: choose winners, evaluate them, decode them, with sparse gradients.

Only the choice of winners needs the whole encoder product; it runs on a few rows at a time, so a
batch's pre-activations [rows, n] never exist at once. All the rest touches the winners alone,
through embedding_bag, which also sums their gradients: no tensor [rows, k, d] exists either.

Winners of a batch are ragged: `index` [winners] row after row, `counts` [rows] how many each has.
"""

import torch
import torch.nn.functional as F

ROWS = 256  # rows whose pre-activations exist at once; at n = 8192 they fit the processor's cache
GROUP = 16


def pre_activations(encoder, b_enc, precision="fp32"):
    """The function from centred rows [rows, d] to pre-activations [rows, n].

    precision: "fp32", exact; "bf16", four times faster and good enough to choose winners by.
    """
    if precision == "bf16":
        transposed, bias = encoder.bfloat16().T, b_enc.bfloat16()
        return lambda rows: torch.addmm(bias, rows.bfloat16(), transposed)
    if encoder.is_cpu and torch.backends.mkldnn.is_available():
        # oneDNN in full float32: twice as fast on AMD as the default (MKL)
        packed, bias = encoder.to_mkldnn(), b_enc.to_mkldnn()
        return lambda rows: F.linear(rows.to_mkldnn(), packed, bias).to_dense()
    return lambda rows: F.linear(rows, encoder, b_enc)


def largest(values, k, ordered=False):
    """The k largest of each row, exactly: (values, index), both [rows, k].

    Of groups of 16 the k with the largest maxima hold the k largest elements: an element outside
    them is below k others. So two small searches replace one large one.
    """
    rows, n = values.shape
    groups = n // GROUP
    if n % GROUP or groups < 4 * k:
        return torch.topk(values, k, sorted=ordered)
    best = torch.topk(values.view(rows, GROUP, groups).amax(1), k, sorted=False).indices
    members = torch.arange(GROUP, device=values.device) * groups
    candidates = (best[:, :, None] + members).view(rows, -1)
    found = torch.topk(values.gather(1, candidates), k, sorted=ordered)
    return found.values, candidates.gather(1, found.indices)


@torch.no_grad()
def choose(centred, encoder, b_enc, k, pooled=False, precision="bf16"):
    """Winners of centred rows [rows, d]: (index [winners], counts [rows], values or None).

    pooled: rows share one budget of k a row on average (BatchTopK) instead of k each.
    ASSUME: the pool of BatchTopK is a block of 256 rows, whatever the batch.
    values: the winners' pre-activations where they are exact, else None.
    """
    before = pre_activations(encoder, b_enc, precision)
    index, counts, values = [], [], []
    for rows in centred.split(ROWS):
        block = before(rows)
        n = block.shape[1]
        if pooled:
            value, flat = largest(block.view(1, -1), len(rows) * k)
            flat, order = flat[0].sort()
            index.append(flat % n)
            values.append(value[0][order])
            counts.append(torch.bincount(flat // n, minlength=len(rows)))
        else:
            value, winners = largest(block, k)
            index.append(winners.flatten())
            values.append(value.flatten())
            counts.append(torch.full((len(rows),), k, device=block.device))
    exact = torch.cat(values) if precision == "fp32" else None
    return torch.cat(index), torch.cat(counts), exact


def bag(index, counts, values, weight):
    """Sums of rows of `weight` [n, d] weighted by values [winners]: [rows, d]."""
    offsets = counts.cumsum(0) - counts
    return F.embedding_bag(
        index.int(), weight, offsets.int(), mode="sum", per_sample_weights=values
    )


class Evaluate(torch.autograd.Function):
    """Pre-activations of winners, in float32: encoder[index] . centred row + b_enc[index].

    Both directions are embedding_bag's own gradients. Of `bag(values) . centred`, the gradient by
    the values are the products wanted; the gradient by the weight is the encoder's.
    """

    @staticmethod
    def forward(ctx, centred, encoder, b_enc, index, counts, known=None):
        ctx.save_for_backward(centred, encoder, index, counts)
        if known is not None:
            return known
        with torch.enable_grad():
            ones = torch.ones(len(index), device=index.device, requires_grad=True)
            summed = bag(index, counts, ones, encoder.detach())
        return torch.autograd.grad(summed, ones, centred)[0] + b_enc[index]

    @staticmethod
    def backward(ctx, gradient):
        centred, encoder, index, counts = ctx.saved_tensors
        with torch.enable_grad():
            weight = encoder.detach().requires_grad_()
            by_centred = bag(index, counts, gradient, weight)
        by_encoder = torch.autograd.grad(by_centred, weight, centred)[0]
        by_bias = torch.bincount(index, gradient, len(encoder))
        return by_centred.detach(), by_encoder, by_bias, None, None, None
