"""What a model loses when one layer is exchanged for its reconstruction, on held-out data.

    recovered = (loss without the layer - loss with its reconstruction)
              / (loss without the layer - loss of the model)

"Without" puts the layer's mean over the data in its place. 1: nothing is lost; 0: no better than
the mean; NaN where the model does not need the layer (its loss is no lower than without it).
"""

from contextlib import contextmanager

import pandas as pd
import torch
from tqdm import tqdm

from rasen.errors import RasenError


@torch.inference_mode()
def recovered(family, network, inputs, layer, functions, device, batch):
    """One row a function: loss (nats a target), loss_model, loss_mean, loss_recovered.

    functions: {name: f}, f mapping the layer's frames [frames, dim] to what stands in for them.
    All run over the same batches, so that each batch is read once. The column that a model reads
    before the first frame, and padding, keep their own activations.
    """
    if not 1 <= layer <= len(family.layers) - 1:
        raise RasenError(
            f"sae.layers: the loss with layer {layer} exchanged is known for layers 1 to "
            f"{len(family.layers) - 1}"
        )
    site = family.sites(network)[layer - 1]
    mean = _mean(family, network, inputs, layer, device, batch)
    everything = {"model": None, "mean": lambda x: mean.to(x.dtype).expand_as(x), **functions}
    sums, targets = dict.fromkeys(everything, 0.0), 0
    for part in tqdm(
        inputs.batches(batch, device), "exchange", -(-len(inputs) // batch), disable=None
    ):
        for name, function in everything.items():
            with exchanged(site, function, part["lengths"], family.front):
                loss, count = family.losses(network, part)
            sums[name] += loss.double().sum().item()
        targets += int(count.sum())
    loss = {name: each / targets for name, each in sums.items()}
    gap = loss["mean"] - loss["model"] if loss["mean"] > loss["model"] else float("nan")
    return pd.DataFrame(
        {
            "name": list(functions),
            "loss": [loss[name] for name in functions],
            "loss_model": loss["model"],
            "loss_mean": loss["mean"],
            "loss_recovered": [(loss["mean"] - loss[name]) / gap for name in functions],
        }
    )


@contextmanager
def exchanged(site, function, lengths, front=0):
    """While open, `function` [frames, dim] -> [frames, dim] stands behind the module `site`.

    The frames of a clip are its `lengths` positions behind the first `front`. None exchanges
    nothing.
    """
    if function is None:
        yield
        return

    def hook(module, arguments, output):
        first, *rest = output if isinstance(output, tuple) else (output,)
        place = torch.arange(first.shape[1], device=first.device)[None] - front
        chosen = (place >= 0) & (place < lengths[:, None])
        changed = first.clone()
        changed[chosen] = function(first[chosen]).to(first.dtype)
        return (changed, *rest) if isinstance(output, tuple) else changed

    handle = site.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _mean(family, network, inputs, layer, device, batch):
    """Mean of a layer over all frames [dim]."""
    total, frames = 0.0, 0
    for part in inputs.batches(batch, device):
        hidden, lengths = family.hidden(network, part)
        values = hidden[layer]
        valid = torch.arange(values.shape[1], device=values.device)[None] < lengths[:, None]
        total = total + values[valid].double().sum(0)
        frames += int(lengths.sum())
    return (total / frames).float()
