"""The loss of every layer: the final norm and the heads read each layer instead of the last one.

The network runs with its first blocks only: layer 0 none of them, layer L all, which is the model's
own loss. All layers together cost (L + 1) / 2 forward passes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import torch

from rasen.errors import RasenError
from rasen.families import LossFamily
from rasen.io.inputs import Inputs
from rasen.measure.blocks import blocks
from rasen.measure.perplexity import clip_losses


def layer_losses(
    family: LossFamily, network: torch.nn.Module, inputs: Inputs, device: str, batch: int
) -> pd.DataFrame:
    """The table of `clip_losses` for every layer, with a column layer."""
    tables = []
    for layer in range(len(blocks(network)) + 1):
        with only_first(network, layer):
            tables.append(clip_losses(family, network, inputs, device, batch).assign(layer=layer))
    return pd.concat(tables, ignore_index=True)


@contextmanager
def only_first(network: torch.nn.Module, count: int) -> Iterator[None]:
    """While open, the network has only its first `count` blocks."""
    parts = blocks(network)
    whole = next(
        (parent, name, module)
        for parent in network.modules()
        for name, module in parent.named_children()
        if isinstance(module, torch.nn.ModuleList) and list(module) == parts
    )
    parent, name, module = whole
    if count > len(parts):
        raise RasenError(f"layer {count}: this model has {len(parts)} blocks")
    setattr(parent, name, module[:count])
    try:
        yield
    finally:
        setattr(parent, name, module)
