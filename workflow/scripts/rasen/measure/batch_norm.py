"""Batch norms whose statistics are estimated anew on data, as REPAIR does [Jordan et al. 2023].

Blended statistics are not those of what blended weights give: the variance of a layer sinks between
two networks. By default they are blended all the same, as the paper's equation 3 says.
"""

import torch

from rasen.errors import RasenError
from rasen.families import Family
from rasen.io.inputs import Inputs
from rasen.measure.batches import batches

CLIPS = 16  # in a batch; not the model's own setting, on which results must not depend


@torch.no_grad()  # not inference mode: tables that a network keeps must serve a gradient later
def estimate_batch_norms(
    family: Family, network: torch.nn.Module, inputs: Inputs, device: str
) -> None:
    """Set means and variances of all batch norms to those over `inputs`, in place.

    Each batch is normalised by its own statistics on the way; what is kept is their mean over
    batches.
    """
    norms = [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise RasenError("batch_norm: this model has no batch norms; set it to null")
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
        norm.train()
    last = [len(family.layers) - 1]
    for part in batches(family, inputs, CLIPS, device, "batch norms"):
        for _ in family.hidden(network, part, last):
            pass
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
