"""The sparse arithmetic: choose winners, evaluate them, decode them, sum their gradients.

Winners are the latents that are active in a row: the k with the largest pre-activations. Only
their choice needs the whole encoder product; it runs on a few rows at a time, so a batch's
pre-activations [rows, n] never exist at once. All the rest touches the winners alone, through
embedding_bag: no tensor [rows, k, d] exists either.
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter, thread_time
from typing import NamedTuple

import torch
import torch.nn.functional as F

ROWS = 256  # rows whose pre-activations exist at once; at n = 8192 they fit the processor's cache
GROUP = 4
LARGE = 2**20  # numbers in the encoder from which on bf16 saves time
TIMED = (256, 512, 1024)  # rows, d, n of the product by which ways are timed: some ms
CLEARLY = 1.25  # times faster: what noise of the clock does not decide
SPARE = 8  # candidates beyond k that bf16 proposes; its errors are one or two ranks
ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class Winners(NamedTuple):
    """The winners of a batch, ragged: those of one row after those of another."""

    index: torch.Tensor  # [winners], which latents
    counts: torch.Tensor  # [rows], how many each row has
    values: torch.Tensor  # [winners], their pre-activations


def pre_activations(
    encoder: torch.Tensor, b_enc: torch.Tensor, way: str = "onednn"
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function from centred rows [rows, d] to pre-activations [rows, n].

    way: "onednn" or "plain" (torch's own), both full float32: oneDNN is twice as fast on AMD and
         slower where its instructions are limited; "bf16", good enough to choose candidates by
    """
    if way == "bf16":
        transposed, bias = encoder.bfloat16().T, b_enc.bfloat16()
        return lambda rows: torch.addmm(bias, rows.bfloat16(), transposed)
    if way == "onednn" and encoder.is_cpu and ONEDNN:
        product = torch.ops.mkldnn._linear_pointwise
        return lambda rows: product(rows, encoder, b_enc, "none", [], "")
    return lambda rows: F.linear(rows, encoder, b_enc)


@cache
def fastest_ways(device: str) -> dict[str, str]:
    """{precision: way of pre-activations} that is fastest here; timed once per process, in ms.

    Many processors have no arithmetic for bf16: there it takes many times as long as float32.
    """
    rows, d, n = TIMED
    x, encoder = torch.ones(rows, d, device=device), torch.ones(n, d, device=device)
    bias = torch.zeros(n, device=device)
    seconds = {}
    for way in ("onednn", "plain", "bf16"):
        product = pre_activations(encoder, bias, way)
        seconds[way] = min(_seconds(product, x) for _ in range(4))
    exact = "plain" if CLEARLY * seconds["plain"] < seconds["onednn"] else "onednn"
    fastest = "bf16" if CLEARLY * seconds["bf16"] < seconds[exact] else exact
    return {"fp32": exact, "auto": fastest, "bf16": "bf16"}


def _seconds(function, x):
    # a processor's other users do not count; a GPU's time is not that of a thread
    clock = thread_time if x.is_cpu else perf_counter
    start = clock()
    function(x)[0, 0].item()  # waits for a GPU
    return clock() - start


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
    if precision == "auto" and encoder.numel() < LARGE:
        precision = "fp32"
    way = fastest_ways(encoder.device.type)[precision]
    product = pre_activations(encoder, b_enc, way)
    wanted = min(k + SPARE, len(encoder)) if way == "bf16" else k
    blocks = [_largest_of_block(product(rows), wanted, pooled) for rows in centred.split(ROWS)]
    candidates = Winners(*(torch.cat(tensors) for tensors in zip(*blocks, strict=True)))
    if way != "bf16":
        return candidates
    index, counts, _ = candidates
    exact = dots(index, counts, centred, encoder) + b_enc[index]
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


def dots(
    index: torch.Tensor, counts: torch.Tensor, rows: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """weight[index] . its row, for each winner: [winners].

    It is the gradient of `weighted_sums` by its values, of which torch has a function of its own.
    """
    bag = torch.repeat_interleave(torch.arange(len(counts), device=index.device), counts)
    offsets = counts.cumsum(0) - counts
    return torch.ops.aten._embedding_bag_per_sample_weights_backward(
        rows, weight, index, offsets, bag, 0
    )


class ByLatent(NamedTuple):
    """Winners in the order of their latents, for sums over all rows where one won."""

    order: torch.Tensor  # [winners]
    start: torch.Tensor  # [n], place of each latent's first winner in that order

    @classmethod
    def of(cls, index: torch.Tensor, n: int) -> "ByLatent":
        """Of winners [winners] of n latents."""
        counts = torch.bincount(index, minlength=n)
        return cls(index.int().sort(stable=True).indices, counts.cumsum(0) - counts)

    def sums(self, counts: torch.Tensor, values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Sums over each latent's winners of their row times their value: [n, d].

        It is the gradient of `weighted_sums` by its weight.
        """
        bag = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
        return F.embedding_bag(
            bag[self.order].int(), rows, self.start.int(), mode="sum",
            per_sample_weights=values[self.order],
        )  # fmt: skip
