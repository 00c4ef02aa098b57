"""Put weights into a network in place, one tensor at a time."""

from concurrent.futures import ThreadPoolExecutor

import torch

STRIDE = 1 << 14  # float32 numbers in 64 KB, what one page fault of a mapped file brings in


@torch.no_grad()
def copy_in(network, tensors):
    """Copy {name: function giving a CPU tensor} into the network's parameters and buffers."""
    for name, target in slots(network).items():
        target.copy_(tensors[name]())


@torch.no_grad()
def blend_in(network, initial, trained, alpha):
    """Set every tensor to (1 - alpha) initial + alpha trained [seed 000, eq. 3].

    initial, trained: {name: function giving a CPU tensor}. Blended in float32 on the CPU, so that
    every device gets the same weights. Beside the network live the two tensors being blended and
    the one that is brought in next.
    """
    targets = slots(network)
    ends = _one_ahead(trained[name] for name in targets)
    for (name, target), end in zip(targets.items(), ends, strict=True):
        if not end.is_floating_point():  # counters of normalisation layers
            target.copy_(end)
            continue
        start, end = initial[name]().to(torch.float32), end.to(torch.float32)
        if target.device.type == "cpu" and target.dtype == torch.float32:
            torch.lerp(start, end, alpha, out=target)
        else:
            target.copy_(torch.lerp(start, end, alpha))


def slots(network):
    """{name: tensor} of all that is walked: parameters and persistent buffers, each once."""
    seen, unique = set(), {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:  # tied tensors have two names and one value
            seen.add(id(tensor))
            unique[name] = tensor
    return unique


def _one_ahead(reads):
    """The tensors that functions give, each brought into memory while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for read in reads:
            following = pool.submit(_present, read)
            if coming:
                yield coming.result()
            coming = following
        if coming:
            yield coming.result()


def _present(read):
    """A tensor whose pages are in memory: the faults of a mapped file are taken here."""
    tensor = read()
    tensor.flatten()[::STRIDE].sum()
    return tensor
