"""What the transformers families share: building without values, and reading off init rules."""

import json
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from rasen.errors import RasenError
from rasen.weights.init_rules import InitRule, constant
from rasen.weights.network_tensors import named_tensors

logging.set_verbosity_error()  # it warns of MusicGen's special token, which is meant
logging.disable_progress_bar()


def read_config(folder: Path | str) -> dict[str, Any]:
    """config.json of a checkpoint folder as a dictionary."""
    path = Path(folder) / "config.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RasenError(
            f"{path}: no such file; give `weights` a local checkpoint folder or a hub id"
        ) from None
    except json.JSONDecodeError as error:
        raise RasenError(f"{path}: not JSON ({error}); fetch the checkpoint again") from None


def build_network(
    architecture: type[PreTrainedModel],
    config: PretrainedConfig,
    device: str,
    dtype: str,
    tied: bool = True,
) -> PreTrainedModel:
    """A network in eval mode whose parameters are allocated and not drawn; buffers are real."""
    from transformers import initialization  # since version 5, which not every family has

    with initialization.no_init_weights(), torch.device(device):
        network = architecture._from_config(config, dtype=getattr(torch, dtype))
        if tied:
            network.tie_weights()  # part of what no_init_weights leaves out
    return network.eval().requires_grad_(False)


def recorded_init_rules(
    architecture: type[PreTrainedModel], config: PretrainedConfig
) -> dict[str, list[InitRule]]:
    """The rules by which transformers itself initialises every tensor of an architecture.

    The library's own initialisation runs over the network once with its drawing functions
    replaced by ones that take notes, so every architecture's rule is the genuine one.
    """
    # transformers draws first and ties afterwards; what is drawn for the other name is dropped.
    network = build_network(architecture, config, "meta", "float32", tied=False)
    network.requires_grad_(True)  # so that a part of a tensor knows what it is a part of
    names = {id(tensor): name for name, tensor in named_tensors(network).items()}
    rules: dict[str, list[InitRule]] = {name: [] for name in names.values()}

    def note(tensor, rule):
        whole = tensor if id(tensor) in names else tensor._base
        if id(whole) not in names:
            return tensor  # a table that is computed, not drawn (positions, rotary frequencies)
        if whole is not tensor:
            region = (tuple(tensor.size()), tensor.stride(), tensor.storage_offset())
            rule = InitRule(rule.kind, rule.mean, rule.std, rule.low, rule.high, region)
        rules[names[id(whole)]].append(rule)
        return tensor

    with _replaced_drawing(note):
        network.initialize_weights()
    undrawn = [name for name in rules if not rules[name]]
    if undrawn:
        raise RasenError(f"no initialisation rule is known for {', '.join(undrawn[:3])}")
    return rules


@contextmanager
def _replaced_drawing(note):
    """transformers' drawing functions, noting instead of drawing."""
    from transformers import initialization

    def fan_in(tensor):
        return torch.nn.init._calculate_fan_in_and_fan_out(tensor)[0]

    def trunc_normal(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
        return note(tensor, InitRule("normal", mean, std, a, b))

    def kaiming_uniform(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
        bound = torch.nn.init.calculate_gain(nonlinearity, a) * (3 / fan_in(tensor)) ** 0.5
        return note(tensor, InitRule("uniform", low=-bound, high=bound))

    def kaiming_normal(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
        std = torch.nn.init.calculate_gain(nonlinearity, a) / fan_in(tensor) ** 0.5
        return note(tensor, InitRule("normal", 0.0, std, -inf, inf))

    def xavier_uniform(tensor, gain=1.0, generator=None):
        fans = sum(torch.nn.init._calculate_fan_in_and_fan_out(tensor))
        bound = gain * (6 / fans) ** 0.5
        return note(tensor, InitRule("uniform", low=-bound, high=bound))

    notes = {
        "normal_": lambda t, mean=0.0, std=1.0, generator=None: note(
            t, InitRule("normal", mean, std)
        ),
        "uniform_": lambda t, a=0.0, b=1.0, generator=None: note(
            t, InitRule("uniform", low=a, high=b)
        ),
        "trunc_normal_": trunc_normal,
        "constant_": lambda t, val: note(t, constant(val)),
        "zeros_": lambda t: note(t, constant(0.0)),
        "ones_": lambda t: note(t, constant(1.0)),
        "kaiming_uniform_": kaiming_uniform,
        "kaiming_normal_": kaiming_normal,
        "xavier_uniform_": xavier_uniform,
        "copy_": lambda t, other: t,
    }
    originals = {name: getattr(initialization, name) for name in notes}
    try:
        for name, function in notes.items():
            setattr(initialization, name, function)
        yield
    finally:
        for name, function in originals.items():
            setattr(initialization, name, function)
