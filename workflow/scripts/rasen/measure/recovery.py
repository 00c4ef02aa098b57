"""What a model loses when one layer is replaced by its reconstruction, on held-out data.

    recovered = (loss without the layer - loss with its reconstruction)
              / (loss without the layer - loss of the model)

"Without" puts the layer's mean over the data in its place. 1: nothing is lost; 0: no better than
the mean; NaN where the model does not need the layer (its loss is no lower than without it).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
import torch

from rasen.errors import RasenError
from rasen.families import LossFamily
from rasen.io.inputs import Inputs
from rasen.measure.batches import batches

Replacement = Callable[[torch.Tensor], torch.Tensor]


@torch.inference_mode()
def loss_recovered(
    family: LossFamily, network: torch.nn.Module, inputs: Inputs, layer: int,
    functions: Mapping[str, Replacement], device: str, batch: int,
) -> pd.DataFrame:  # fmt: skip
    """One row per function: loss (nats per target), loss_model, loss_mean, loss_recovered.

    functions: {name: f}, f mapping the layer's frames [frames, dim] to what stands in for them.
    All run over the same batches, so that each batch is read once. Positions in front of the
    stimulus (special tokens) and padding keep their own activations.
    """
    if not 1 <= layer <= len(family.layers) - 1:
        raise RasenError(
            f"sae.layers: the loss with layer {layer} replaced is known for layers 1 to "
            f"{len(family.layers) - 1}"
        )
    module = family.layer_modules(network)[layer - 1]
    mean = _mean(family, network, inputs, layer, device, batch)
    replacements: dict[str, Replacement | None] = {
        "model": None, "mean": lambda x: mean.to(x.dtype).expand_as(x), **functions,
    }  # fmt: skip
    # on the device until the end: reading a number waits for the GPU
    sums: dict[str, torch.Tensor] = dict.fromkeys(replacements, torch.zeros((), device=device))
    targets = torch.zeros((), dtype=torch.int64, device=device)
    for part in batches(family, inputs, batch, device, "replace"):
        lengths = family.frames(part["lengths"])
        for name, function in replacements.items():
            with replaced(module, function, lengths, family.places):
                loss, count = family.losses(network, part)
            sums[name] = sums[name] + loss.double().sum()
        targets = targets + count.sum()
    count = int(targets)
    loss = {name: float(total) / count for name, total in sums.items()}
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
def replaced(
    module: torch.nn.Module,
    function: Replacement | None,
    lengths: torch.Tensor,
    places: Callable[[int], torch.Tensor],
) -> Iterator[None]:
    """While open, `function` [frames, dim] -> [frames, dim] stands behind a layer's module.

    The frames of a clip are the first `lengths` [clip] of the positions that `places` names of so
    many, in the windows in which it goes through the module (one in most families). None replaces
    nothing.
    """
    if function is None:
        yield
        return

    def hook(module, arguments, output):
        first, *rest = output if isinstance(output, tuple) else (output,)
        changed = first.clone(memory_format=torch.contiguous_format)
        shape = (len(lengths), -1, *first.shape[1:])  # [clip, window, position, dim]
        windows, there = changed.view(shape), places(first.shape[1]).to(first.device)
        values = windows[:, :, there]
        place = torch.arange(values[0, ..., 0].numel(), device=lengths.device)
        place = place.view(values.shape[1:3])
        frames = (place < lengths[:, None, None]).to(first.device)
        values[frames] = function(values[frames].to(lengths.device)).to(first)
        windows[:, :, there] = values
        return (changed, *rest) if isinstance(output, tuple) else changed

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _mean(family, network, inputs, layer, device, batch):
    """Mean of a layer over all frames [dim]."""
    total, count = 0.0, 0
    for part in batches(family, inputs, batch, device, "mean"):
        lengths = family.frames(part["lengths"])
        for _, values in family.hidden(network, part, [layer]):
            values = values.to(lengths.device)  # a layer may lie on another GPU
            valid = torch.arange(values.shape[1], device=values.device)[None] < lengths[:, None]
            total = total + values[valid].double().sum(0)
            count += int(lengths.sum())
    return (total / count).float()
