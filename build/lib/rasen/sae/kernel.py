"""The sparse arithmetic: choose winners, evaluate them, decode them, with sparse gradients.

Only the choice of winners needs the whole encoder product; it runs on a few rows at a time, so a
batch's pre-activations [rows, n] never exist at once. All the rest touches the winners alone,
through embedding_bag, which also sums their gradients: no tensor [rows, k, d] exists either.

Winners of a batch are ragged: `index` [winners] row after row, `counts` [rows] how many each has.
"""

from functools import cache
from time import perf_counter

import torch
import torch.nn.functional as F

ROWS = 256  # rows whose pre-activations exist at once; at n = 8192 they fit the processor's cache
GROUP = 4
LARGE = 2**20  # numbers in the encoder from which on bf16 saves time
TIMED = (256, 512, 2048)  # rows, d, n of the product by which precisions are timed: some ms
SPARE = 8  # candidates beyond k that bf16 proposes; its errors are one or two ranks


def pre_activations(encoder, b_enc, precision="fp32"):
    """The function from centred rows [rows, d] to pre-activations [rows, n].

    precision: "fp32", exact; "bf16", good enough to choose candidates by, and faster.
    """
    if precision == "bf16":
        transposed, bias = encoder.bfloat16().T, b_enc.bfloat16()
        return lambda rows: torch.addmm(bias, rows.bfloat16(), transposed)
    if encoder.is_cpu and torch.backends.mkldnn.is_available():
        # oneDNN in full float32: twice as fast on AMD as the default (MKL)
        packed, bias = encoder.to_mkldnn(), b_enc.to_mkldnn()
        return lambda rows: F.linear(rows.to_mkldnn(), packed, bias).to_dense()
    return lambda rows: F.linear(rows, encoder, b_enc)


@cache
def bf16_is_faster(device: str) -> bool:
    """Whether pre-activations come sooner in bf16 here; timed once a process, in a few ms.

    Many processors have no arithmetic for bf16: there it takes nearly three times as long as fp32.
    """
    rows, d, n = TIMED
    x, encoder = torch.ones(rows, d, device=device), torch.ones(n, d, device=device)
    bias = torch.zeros(n, device=device)
    seconds = {}
    for precision in ("fp32", "bf16"):
        product = pre_activations(encoder, bias, precision)
        seconds[precision] = min(_seconds(product, x) for _ in range(4))
    return seconds["bf16"] < seconds["fp32"]


def _seconds(function, x):
    start = perf_counter()
    function(x)[0, 0].item()  # waits for a GPU
    return perf_counter() - start


def largest(values, k, ordered=False):
    """The k largest of each row, exactly: (values, index), both [rows, k].

    Of groups of 4 the k with the largest maxima hold the k largest elements: an element outside
    them is below k others. So the search is one among group maxima, found in the same way, and
    one among 4 k candidates.
    """
    rows, n = values.shape
    groups = n // GROUP
    if n % GROUP or groups < 2 * k:
        return torch.topk(values, k, sorted=ordered)
    best = largest(values.view(rows, GROUP, groups).amax(1), k)[1]
    members = torch.arange(GROUP, device=values.device) * groups
    candidates = (best[:, :, None] + members).view(rows, -1)
    found = torch.topk(values.gather(1, candidates), k, sorted=ordered)
    return found.values, candidates.gather(1, found.indices)


@torch.no_grad()
def choose(centred, encoder, b_enc, k, pooled=False, precision="auto"):
    """Winners of centred rows [rows, d]: (index [winners], counts [rows], values [winners]).

    pooled: rows share one budget of k a row on average (BatchTopK) instead of k each.
    ASSUME: the pool of BatchTopK is a block of 256 rows, whatever the batch.
    precision: "fp32"; "bf16", where a few more candidates are found in bf16 and their exact values
    decide, so the values are those of float32, and all but surely the winners are too; "auto",
    the faster of both on this processor, as measured.
    """
    if precision == "auto":
        large = encoder.numel() >= LARGE
        precision = "bf16" if large and bf16_is_faster(encoder.device.type) else "fp32"
    before = pre_activations(encoder, b_enc, precision)
    wanted = min(k + SPARE, len(encoder)) if precision == "bf16" else k
    found = [_largest_of_block(before(rows), wanted, pooled) for rows in centred.split(ROWS)]
    index, counts, values = (torch.cat(part) for part in zip(*found, strict=True))
    if precision == "fp32":
        return index, counts, values
    values = products(index, counts, centred, encoder) + b_enc[index]
    return _best(index, counts, values, k, pooled)


def _largest_of_block(block, k, pooled):
    """(index, counts, values) of a block of pre-activations [rows, n]."""
    rows, n = block.shape
    if not pooled:
        values, index = largest(block, k)
        return index.flatten(), torch.full((rows,), k, device=block.device), values.flatten()
    values, flat = largest(block.view(1, -1), rows * k)
    flat, order = flat[0].sort()
    return flat % n, torch.bincount(flat // n, minlength=rows), values[0][order]


def _best(index, counts, values, k, pooled):
    """The best of candidates by their values: k of each row, or of each block on average."""
    rows = len(counts)
    if not pooled:
        values, place = values.view(rows, -1).topk(k, sorted=False)
        index = index.view(rows, -1).gather(1, place)
        return index.flatten(), torch.full((rows,), k, device=index.device), values.flatten()
    width = len(values) // rows  # candidates a row, on average
    starts = range(0, len(values), ROWS * width)
    place = torch.cat(
        [
            start + block.topk(len(block) // width * k, sorted=False).indices.sort().values
            for start, block in zip(starts, values.split(ROWS * width), strict=True)
        ]
    )
    row = torch.repeat_interleave(torch.arange(rows, device=index.device), counts)
    return index[place], torch.bincount(row[place], minlength=rows), values[place]


def bag(index, counts, values, weight):
    """Sums of rows of `weight` [n, d] weighted by values [winners]: [rows, d]."""
    offsets = counts.cumsum(0) - counts
    return F.embedding_bag(
        index.int(), weight, offsets.int(), mode="sum", per_sample_weights=values
    )


def products(index, counts, rows, weight):
    """weight[index] . its row, for each winner: [winners], as the gradient of `bag`."""
    with torch.enable_grad():
        ones = torch.ones(len(index), device=index.device, requires_grad=True)
        summed = bag(index, counts, ones, weight)
    return torch.autograd.grad(summed, ones, rows)[0]


class Encode(torch.autograd.Function):
    """Known pre-activations of winners, encoder[index] . centred row + b_enc[index].

    Forward returns them as they are; backward spreads their gradient by embedding_bag: its sum
    is the gradient by the rows, and its own gradient by its weight the encoder's.
    """

    @staticmethod
    def forward(ctx, centred, encoder, b_enc, index, counts, values):
        ctx.save_for_backward(centred, encoder, index, counts)
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        centred, encoder, index, counts = ctx.saved_tensors
        with torch.enable_grad():
            weight = encoder.detach().requires_grad_()
            by_centred = bag(index, counts, gradient, weight)
        by_encoder = torch.autograd.grad(by_centred, weight, centred)[0]
        by_bias = torch.bincount(index, gradient, len(encoder))
        return by_centred.detach(), by_encoder, by_bias, None, None, None
