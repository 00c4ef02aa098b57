"""The blocks of a network (its transformer layers): divided over GPUs, or computed twice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from rasen.errors import RasenError


def blocks(network: torch.nn.Module) -> list[torch.nn.Module]:
    """The modules that run one after another and hold most of the weights, in order."""
    lists = [module for module in network.modules() if isinstance(module, torch.nn.ModuleList)]
    if not lists:
        raise RasenError(
            f"a {type(network).__name__} has no list of layers that could be divided or computed "
            "twice; set gpus: 1 and checkpointing: false for this model"
        )
    return list(max(lists, key=_numbers))


def divide(network: torch.nn.Module, devices: Sequence[str]) -> None:
    """Move a network to several devices: its blocks in order, by size; all else to the first.

    Whatever enters a block is moved to its device, and what the last one gives back to the first
    device, so that the network is called as on one.
    """
    parts = blocks(network)
    inside = {id(module) for part in parts for module in part.modules()}
    total = _numbers(network)
    before = total - sum(map(_numbers, parts))  # embeddings and heads lie on the first device
    for part in parts:
        middle = before + _numbers(part) / 2
        device = devices[min(int(middle * len(devices) / total), len(devices) - 1)]
        before += _numbers(part)
        part.to(device)
        part.register_forward_pre_hook(_arriving(device), with_kwargs=True)
    parts[-1].register_forward_hook(lambda module, given, output: _moved(output, devices[0]))
    for module in network.modules():
        if id(module) not in inside:
            module._apply(lambda tensor: tensor.to(devices[0]), recurse=False)


@contextmanager
def computed_twice(network: torch.nn.Module) -> Iterator[None]:
    """While open, a backward pass keeps only what enters each block, and computes it again."""
    parts = blocks(network)
    for part in parts:
        again = partial(checkpoint, part.forward, use_reentrant=False, preserve_rng_state=False)
        part.forward = again
    try:
        yield
    finally:
        for part in parts:
            del part.forward


def _numbers(module):
    return sum(parameter.numel() for parameter in module.parameters())


def _arriving(device):
    """A hook that moves the arguments of a module to its device."""
    return lambda module, given, named: (_moved(given, device), _moved(named, device))


def _moved(value: Any, device: str) -> Any:
    """Tensors, also inside tuples, lists and dictionaries, on a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _moved(part, device) for key, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_moved(part, device) for part in value)
    return value
