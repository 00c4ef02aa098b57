"""The tensors of a network by name: filled in place, one at a time, and saved."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from rasen.io.atomic import whole_file
from rasen.weights.lazy_tensors import LazyTensor, require_tensors


@torch.no_grad()
def load_into(network: torch.nn.Module, tensors: Mapping[str, LazyTensor]) -> None:
    """Copy tensors by name into the network's parameters and buffers."""
    for name, target in named_tensors(network).items():
        flat = target.view(-1)
        for where, values in tensors[name].pieces():
            flat[where].copy_(values)


@torch.no_grad()
def interpolate_into(
    network: torch.nn.Module,
    initial: Mapping[str, LazyTensor],
    trained: Mapping[str, LazyTensor],
    alpha: float,
) -> None:
    """Set every tensor to (1 - alpha) initial + alpha trained (eq. 3 of the paper).

    Computed in float32 on the CPU, so that every device gets the same weights. Beside the
    network live one tensor of the start and a piece of the trained one.
    """
    for name, target in named_tensors(network).items():
        start, flat = initial[name].read().flatten(), target.view(-1)
        for where, end in trained[name].pieces():
            if not end.is_floating_point():  # counters of normalisation layers
                flat[where].copy_(end)
            elif target.device.type == "cpu" and target.dtype == torch.float32:
                torch.lerp(start[where].float(), end.float(), alpha, out=flat[where])
            else:
                flat[where].copy_(torch.lerp(start[where].float(), end.float(), alpha))


def named_tensors(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """{name: tensor} of all that is interpolated: parameters and persistent buffers, each once."""
    seen, unique = set(), {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:  # tied tensors have two names and one value
            seen.add(id(tensor))
            unique[name] = tensor
    return unique


def save_network(network: torch.nn.Module, path: Path | str) -> None:
    """Write a network's tensors as one safetensors file, which appears whole or not at all."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in named_tensors(network).items()}
    with whole_file(path) as partial:
        save_file(tensors, partial)


def require_fit(
    network: torch.nn.Module, tensors: Mapping[str, LazyTensor], where: Path | str
) -> None:
    """Raise, naming the first differences, unless these are the network's tensors."""
    shapes = {name: tuple(tensor.shape) for name, tensor in named_tensors(network).items()}
    require_tensors(tensors, shapes, where)
