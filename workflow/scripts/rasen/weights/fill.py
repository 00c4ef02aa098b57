"""Put weights into a network in place, one tensor at a time."""

import torch

from rasen.errors import RasenError


@torch.no_grad()
def copy_in(network, tensors, where):
    """Copy {name: function giving a CPU tensor} into the network's parameters and buffers."""
    for name, target in slots(network).items():
        _finite(tensors[name](), name, where, into=target)


@torch.no_grad()
def blend_in(network, initial, trained, alpha, where):
    """Set every tensor to (1 - alpha) initial + alpha trained [seed 000, eq. 3].

    initial, trained: {name: function giving a CPU tensor}. At most two tensors live beside the
    network. Blended in float32 on the CPU, so that every device gets the same weights.
    """
    for name, target in slots(network).items():
        end = trained[name]()
        if not end.is_floating_point():  # counters of normalisation layers
            target.copy_(end)
            continue
        start = initial[name]().to(torch.float32)
        end = end.to(torch.float32)
        direct = target.device.type == "cpu" and target.dtype == torch.float32
        mixed = torch.lerp(start, end, alpha, out=target if direct else None)
        _finite(mixed, name, where, into=None if direct else target)


def slots(network):
    """{name: tensor} of all that is walked: parameters and persistent buffers, each once."""
    seen, unique = set(), {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:  # tied tensors have two names and one value
            seen.add(id(tensor))
            unique[name] = tensor
    return unique


def _finite(values, name, where, into):
    """Copy values into a tensor (or check them where they are); refuse NaN and infinity."""
    # A sum is not finite as soon as one term is not, and costs one pass over the tensor.
    if values.is_floating_point() and not torch.isfinite(values.sum(dtype=torch.float32)):
        if not torch.isfinite(values).all():
            raise RasenError(
                f"{where}: {name} holds values that are not numbers (NaN or infinite); "
                "the checkpoint is broken: fetch it again"
            )
    if into is not None:
        into.copy_(values)
