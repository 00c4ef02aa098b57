"""The sparse arithmetic: choose winners, evaluate them, decode them, with sparse gradients.

Winners are the latents that are active in a row: the k with the largest pre-activations. Only
their choice needs the whole encoder product; it runs on a few rows at a time, so a batch's
pre-activations [rows, n] never exist at once. All the rest touches the winners alone, through
embedding_bag, which also sums their gradients: no tensor [rows, k, d] exists either.
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

ROWS = 256  # rows whose pre-activations exist at once; at n = 8192 they fit the processor's cache
GROUP = 4
LARGE = 2**20  # numbers in the encoder from which on bf16 saves time
TIMED = (256, 512, 2048)  # rows, d, n of the product by which precisions are timed: some ms
SPARE = 8  # candidates beyond k that bf16 proposes; its errors are one or two ranks


class Winners(NamedTuple):
    """The winners of a batch, ragged: those of one row after those of another."""

    index: torch.Tensor  # [winners], which latents
    counts: torch.Tensor  # [rows], how many each row has
    values: torch.Tensor  # [winners], their pre-activations


def pre_activations(
    encoder: torch.Tensor, b_enc: torch.Tensor, precision: str = "fp32"
) -> Callable[[torch.Tensor], torch.Tensor]:
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
    """Whether pre-activations are computed faster in bf16 here; timed once per process, in ms.

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


def largest(
    values: torch.Tensor, k: int, ordered: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of each row [rows, n], exactly: (values, index), both [rows, k].

    Of groups of 4 the k with the largest maxima hold the k largest elements: an element outside
    them is below k others. So the search is one among group maxima, done in the same way, and
    one among 4 k candidates.
    """
    rows, n = values.shape
    groups = n // GROUP
    if n % GROUP or groups < 2 * k:
        return torch.topk(values, k, sorted=ordered)
    _, best_groups = largest(values.view(rows, GROUP, groups).amax(1), k)
    members = torch.arange(GROUP, device=values.device) * groups
    candidates = (best_groups[:, :, None] + members).view(rows, -1)
    best = torch.topk(values.gather(1, candidates), k, sorted=ordered)
    return best.values, candidates.gather(1, best.indices)


@torch.no_grad()
def choose_winners(
    centred: torch.Tensor,
    encoder: torch.Tensor,
    b_enc: torch.Tensor,
    k: int,
    pooled: bool = False,
    precision: str = "auto",
) -> Winners:
    """The winners of centred rows [rows, d].

    pooled: rows share one budget of k per row on average (BatchTopK) instead of k each.
    ASSUME: the pool of BatchTopK is a block of 256 rows, whatever the batch.
    precision: "fp32"; "bf16", where a few more candidates are proposed in bf16 and their exact
    values decide, so the values are those of float32, and all but surely the winners are too;
    "auto", the faster of both on this processor, as measured.
    """
    if precision == "auto":
        large = encoder.numel() >= LARGE
        precision = "bf16" if large and bf16_is_faster(encoder.device.type) else "fp32"
    product = pre_activations(encoder, b_enc, precision)
    wanted = min(k + SPARE, len(encoder)) if precision == "bf16" else k
    blocks = [_largest_of_block(product(rows), wanted, pooled) for rows in centred.split(ROWS)]
    candidates = Winners(*(torch.cat(tensors) for tensors in zip(*blocks, strict=True)))
    if precision == "fp32":
        return candidates
    index, counts, _ = candidates
    exact = products(index, counts, centred, encoder) + b_enc[index]
    return _best_candidates(candidates._replace(values=exact), k, pooled)


def _largest_of_block(block, k, pooled):
    """The Winners of a block of pre-activations [rows, n]."""
    rows, n = block.shape
    if not pooled:
        values, index = largest(block, k)
        counts = torch.full((rows,), k, device=block.device)
        return Winners(index.flatten(), counts, values.flatten())
    values, flat = largest(block.view(1, -1), rows * k)
    flat, order = flat[0].sort()
    return Winners(flat % n, torch.bincount(flat // n, minlength=rows), values[0][order])


def _best_candidates(candidates, k, pooled):
    """The Winners among candidates by their values: k per row, or per row of a block on average."""
    index, counts, values = candidates
    rows = len(counts)
    if not pooled:
        values, place = values.view(rows, -1).topk(k, sorted=False)
        index = index.view(rows, -1).gather(1, place)
        counts = torch.full((rows,), k, device=index.device)
        return Winners(index.flatten(), counts, values.flatten())
    width = len(values) // rows  # candidates per row, on average
    starts = range(0, len(values), ROWS * width)
    place = torch.cat(
        [
            start + block.topk(len(block) // width * k, sorted=False).indices.sort().values
            for start, block in zip(starts, values.split(ROWS * width), strict=True)
        ]
    )
    row = torch.repeat_interleave(torch.arange(rows, device=index.device), counts)
    return Winners(index[place], torch.bincount(row[place], minlength=rows), values[place])


def weighted_sums(
    index: torch.Tensor, counts: torch.Tensor, values: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Sums of rows of `weight` [n, d] weighted by values [winners]: [rows, d]."""
    offsets = counts.cumsum(0) - counts
    return F.embedding_bag(
        index.int(), weight, offsets.int(), mode="sum", per_sample_weights=values
    )


def products(
    index: torch.Tensor, counts: torch.Tensor, rows: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """weight[index] . its row, for each winner: [winners], as the gradient of `weighted_sums`."""
    with torch.enable_grad():
        ones = torch.ones(len(index), device=index.device, requires_grad=True)
        sums = weighted_sums(index, counts, ones, weight)
    return torch.autograd.grad(sums, ones, rows)[0]


class Encode(torch.autograd.Function):
    """Known pre-activations of winners, encoder[index] . centred row + b_enc[index].

    Forward returns them as they are; backward spreads their gradient by embedding_bag: its sum
    is the gradient by the rows, and its own gradient by its weight the encoder's.
    """

    @staticmethod
    def forward(
        ctx: Any,
        centred: torch.Tensor,
        encoder: torch.Tensor,
        b_enc: torch.Tensor,
        index: torch.Tensor,
        counts: torch.Tensor,
        values: torch.Tensor,
    ) -> torch.Tensor:
        """values [winners], see Winners."""
        ctx.save_for_backward(centred, encoder, index, counts)
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients by all arguments of forward, from gradient [winners]."""
        centred, encoder, index, counts = ctx.saved_tensors
        with torch.enable_grad():
            weight = encoder.detach().requires_grad_()
            by_centred = weighted_sums(index, counts, gradient, weight)
        by_encoder = torch.autograd.grad(by_centred, weight, centred)[0]
        by_bias = torch.bincount(index, gradient, len(encoder))
        return by_centred.detach(), by_encoder, by_bias, None, None, None
