"""The gradient-corrected point: theta(a) - eta grad L(theta(a); D) (eq. 4 of the paper)."""

from contextlib import contextmanager, nullcontext
from math import fsum, isfinite

import pandas as pd
import torch

from rasen.errors import RasenError
from rasen.families import LossFamily
from rasen.io.inputs import Inputs
from rasen.measure.batches import batches
from rasen.measure.blocks import computed_twice


def correct_network(
    family: LossFamily, network: torch.nn.Module, inputs: Inputs, eta: float, steps: int,
    device: str, batch: int, checkpointing: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Take `steps` steps of size `eta` against the full gradient over `inputs`, in place.

    L is the model's own training loss over all of D (`LossFamily.training_loss`), in eval mode. D
    goes through in batches whose gradients add up to the
    exact one. With `checkpointing` each layer is computed again in the backward pass, which takes
    a third more time and far less memory.

    Returns a table with one row per step: loss before and after it, |delta| / |theta|.
    """
    rows = []
    with _differentiable(network), computed_twice(network) if checkpointing else nullcontext():
        for step in range(1, steps + 1):
            before = _loss(family, network, inputs, device, batch, f"step {step}", backward=True)
            change = _descend(network, eta)
            rows.append({"step": step, "eta": eta, "loss_before": before, "change": change})
    last = _loss(family, network, inputs, device, batch, "after", backward=False)
    table = pd.DataFrame(rows)
    table["loss_after"] = [*table["loss_before"][1:], last]
    return table


def _loss(family, network, inputs, device, batch, what, backward):
    """The loss over all of D; with `backward` its gradient gathers in the parameters."""
    lengths = torch.from_numpy(inputs.lengths)
    targets = family.targets(lengths).sum(0).to(device)  # [group], over all of D
    total = torch.zeros((), dtype=torch.float64, device=device)  # read once: reading waits
    for part in batches(family, inputs, batch, device, what):
        with torch.set_grad_enabled(backward):
            share = family.training_loss(network, part, targets)
        if backward:
            share.backward()
        total += share.detach()
    loss = total.item()
    if not isfinite(loss):
        raise RasenError(f"the loss on D is {loss} ({what}); try a smaller eta")
    return loss


@torch.no_grad()
def _descend(network, eta):
    """One step of plain gradient descent; returns |eta gradient| / |theta|."""
    weights, moves = [], []
    for parameter in network.parameters():
        weights.append(parameter.double().square().sum())
        if parameter.grad is not None:  # what the loss does not touch stays where it is
            moves.append(parameter.grad.double().square().sum())
            parameter.add_(parameter.grad, alpha=-eta)
            parameter.grad = None
    whole = fsum(square.item() for square in weights)  # all have been computed: nothing waits
    return abs(eta) * (fsum(square.item() for square in moves) / whole) ** 0.5 if whole else 0.0


@contextmanager
def _differentiable(network):
    """Parameters that gather gradients inside the block and not after it."""
    network.requires_grad_(True)
    try:
        yield
    finally:
        network.requires_grad_(False)
        network.zero_grad(set_to_none=True)
