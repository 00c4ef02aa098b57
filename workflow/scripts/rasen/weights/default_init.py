"""PyTorch's own initialisation of its modules, as rules: what a model has that sets no other."""

import torch

from rasen.weights.init_rules import InitRule, constant, uniform

NORMS = (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.modules.batchnorm._BatchNorm)
PROJECTIONS = (torch.nn.Linear, torch.nn.modules.conv._ConvNd)


def default_init_rules(network: torch.nn.Module) -> dict[str, list[InitRule]]:
    """The rules of every tensor of linear layers, convolutions and norms: {name: rules}."""
    rules: dict[str, list[InitRule]] = {}
    for prefix, module in network.named_modules():
        stem = f"{prefix}." if prefix else ""
        if isinstance(module, PROJECTIONS):
            # kaiming_uniform with a = 5^.5, which is the bound that the bias has too
            bound = module.weight[0].numel() ** -0.5
            rules[f"{stem}weight"] = [uniform(bound)]
            if module.bias is not None:
                rules[f"{stem}bias"] = [uniform(bound)]
        elif isinstance(module, NORMS):
            for name, _ in [*module.named_parameters(), *module.named_buffers()]:
                rules[f"{stem}{name}"] = [constant(float(name in ("weight", "running_var")))]
    return rules
