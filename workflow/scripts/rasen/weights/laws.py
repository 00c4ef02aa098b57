"""Laws of initialisation: how one tensor is drawn from a seed and its name, alone."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf, prod

import numpy as np
import torch

from rasen.seeds import generator

BLOCK = 1 << 20  # numbers per stream: blocks are drawn side by side, whatever the thread count


@dataclass(frozen=True)
class Law:
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


def constant(value):
    """Every number is `value`."""
    return Law("constant", mean=value)


def normal(std, mean=0.0):
    """Gaussian."""
    return Law("normal", mean=mean, std=std)


def truncated(std, at=3.0):
    """Gaussian of width `std`, drawn again where it lies more than `at` widths from zero."""
    return Law("normal", std=std, low=-at * std, high=at * std)


def uniform(bound):
    """Uniform in [-bound, bound]."""
    return Law("uniform", low=-bound, high=bound)


def draw(laws, shape, seed, name):
    """The float32 tensor `name` [*shape] under a list of laws, applied one after the other."""
    tensor = torch.empty(shape)
    for law in laws:
        if law.region is None:
            _fill(tensor, law, seed, name)
        else:  # e.g. the padding row of an embedding
            size, stride, offset = law.region
            part = torch.empty(size)
            _fill(part, law, seed, f"{name}@{offset}")
            tensor.as_strided(size, stride, offset).copy_(part)
    return tensor


def shuffled(tensor, seed, name):
    """The values of a tensor in random order: its statistics stay, its structure goes."""
    values = tensor.flatten().float().numpy(force=True).copy()
    generator(seed, "permuted", name).shuffle(values)
    return torch.from_numpy(values).view(tensor.shape)


def _fill(tensor, law, seed, name):
    """Fill a contiguous float32 tensor in place, block by block on all threads."""
    if law.kind == "constant":
        tensor.fill_(law.mean)
        return
    values = tensor.numpy().reshape(-1)
    starts = range(0, prod(tensor.shape), BLOCK)

    def fill_block(start):
        rng = generator(seed, name, start // BLOCK)
        block = values[start : start + BLOCK]
        if law.kind == "uniform":
            rng.random(out=block, dtype=np.float32)
            block *= np.float32(law.high - law.low)
            block += np.float32(law.low)
        else:
            rng.standard_normal(out=block, dtype=np.float32)
            block *= np.float32(law.std)
            block += np.float32(law.mean)
            if law.high < inf:
                _redraw_outside(block, law, rng)

    if len(starts) > 1:
        with ThreadPoolExecutor(torch.get_num_threads() or os.cpu_count()) as pool:
            list(pool.map(fill_block, starts))
    else:
        for start in starts:
            fill_block(start)


def _redraw_outside(block, law, rng):
    """Replace numbers beyond the law's limits until none is left."""
    outside = np.flatnonzero((block < law.low) | (block > law.high))
    while len(outside):
        again = law.mean + law.std * rng.standard_normal(len(outside), dtype=np.float32)
        block[outside] = again
        outside = outside[(again < law.low) | (again > law.high)]
