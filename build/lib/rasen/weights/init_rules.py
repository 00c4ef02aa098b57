"""Initialisation rules: how one tensor is drawn from a seed and its name, alone."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf, prod

import numpy as np
import torch

from rasen.seeds import generator

BLOCK = 1 << 20  # numbers per stream: blocks are drawn side by side, whatever the thread count


@dataclass(frozen=True)
class InitRule:
    """How the numbers of one tensor (or of a region of it) are drawn.

    kind:    "normal" (mean, std, cut off at low and high), "uniform" (low, high), "constant" (mean)
    region:  None for the whole tensor, else (size, stride, offset) of the part it applies to
    """

    kind: str
    mean: float = 0.0
    std: float = 0.0
    low: float = -inf
    high: float = inf
    region: tuple | None = None


def constant(value: float) -> InitRule:
    """Every number is `value`."""
    return InitRule("constant", mean=value)


def normal(std: float, mean: float = 0.0) -> InitRule:
    """Gaussian."""
    return InitRule("normal", mean=mean, std=std)


def truncated(std: float, at: float = 3.0) -> InitRule:
    """Gaussian of width `std`, drawn again where it lies more than `at` widths from zero."""
    return InitRule("normal", std=std, low=-at * std, high=at * std)


def uniform(bound: float) -> InitRule:
    """Uniform in [-bound, bound]."""
    return InitRule("uniform", low=-bound, high=bound)


def draw_tensor(
    rules: Sequence[InitRule], shape: Sequence[int], seed: int, name: str
) -> torch.Tensor:
    """The float32 tensor `name` [*shape] by a list of rules, applied one after the other."""
    tensor = torch.empty(shape)
    for rule in rules:
        if rule.region is None:
            _fill(tensor, rule, seed, name)
        else:  # e.g. the padding row of an embedding
            size, stride, offset = rule.region
            part = torch.empty(size)
            _fill(part, rule, seed, f"{name}@{offset}")
            tensor.as_strided(size, stride, offset).copy_(part)
    return tensor


def permuted_tensor(tensor: torch.Tensor, seed: int, name: str) -> torch.Tensor:
    """The values of a tensor in random order: its statistics stay, its structure goes."""
    values = tensor.flatten().float().numpy(force=True).copy()
    generator(seed, "permuted", name).shuffle(values)
    return torch.from_numpy(values).view(tensor.shape)


def _fill(tensor, rule, seed, name):
    """Fill a contiguous float32 tensor in place, block by block on all threads."""
    if rule.kind == "constant":
        tensor.fill_(rule.mean)
        return
    values = tensor.numpy().reshape(-1)
    starts = range(0, prod(tensor.shape), BLOCK)

    def fill_block(start):
        rng = generator(seed, name, start // BLOCK)
        block = values[start : start + BLOCK]
        if rule.kind == "uniform":
            rng.random(out=block, dtype=np.float32)
            block *= np.float32(rule.high - rule.low)
            block += np.float32(rule.low)
        else:
            rng.standard_normal(out=block, dtype=np.float32)
            block *= np.float32(rule.std)
            block += np.float32(rule.mean)
            if rule.high < inf:
                _redraw_outside(block, rule, rng)

    if len(starts) > 1:
        with ThreadPoolExecutor(torch.get_num_threads() or os.cpu_count()) as pool:
            list(pool.map(fill_block, starts))
    else:
        for start in starts:
            fill_block(start)


def _redraw_outside(block, rule, rng):
    """Replace numbers beyond the rule's limits until none is left."""
    outside = np.flatnonzero((block < rule.low) | (block > rule.high))
    while len(outside):
        again = rule.mean + rule.std * rng.standard_normal(len(outside), dtype=np.float32)
        block[outside] = again
        outside = outside[(again < rule.low) | (again > rule.high)]
