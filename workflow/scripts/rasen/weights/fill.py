"""Put weights into a network in place, one tensor at a time."""

import torch


@torch.no_grad()
def copy_in(network, tensors):
    """Copy {name: Lazy} into the network's parameters and buffers."""
    for name, target in slots(network).items():
        flat = target.view(-1)
        for where, values in tensors[name].pieces():
            flat[where].copy_(values)


@torch.no_grad()
def blend_in(network, initial, trained, alpha):
    """Set every tensor to (1 - alpha) initial + alpha trained [seed 000, eq. 3].

    initial, trained: {name: Lazy}. Blended in float32 on the CPU, so that every device gets the
    same weights. Beside the network live one tensor of the start and a piece of the trained one.
    """
    for name, target in slots(network).items():
        start, flat = initial[name].read().flatten(), target.view(-1)
        for where, end in trained[name].pieces():
            if not end.is_floating_point():  # counters of normalisation layers
                flat[where].copy_(end)
            elif target.device.type == "cpu" and target.dtype == torch.float32:
                torch.lerp(start[where].float(), end.float(), alpha, out=flat[where])
            else:
                flat[where].copy_(torch.lerp(start[where].float(), end.float(), alpha))


def slots(network):
    """{name: tensor} of all that is walked: parameters and persistent buffers, each once."""
    seen, unique = set(), {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:  # tied tensors have two names and one value
            seen.add(id(tensor))
            unique[name] = tensor
    return unique
