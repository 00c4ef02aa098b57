"""A model at a point: the recipe of a point turned into a network with those weights."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeVar

import torch

from rasen.families import Family, open_family
from rasen.io.inputs import Inputs
from rasen.measure.batch_norm import estimate_batch_norms
from rasen.measure.blocks import divide
from rasen.study.points import parse_point
from rasen.study.recipe import Initialisation, Recipe
from rasen.weights.init_rules import InitRule, constant, draw_tensor, permuted_tensor
from rasen.weights.lazy_tensors import LazyTensor, read_safetensors
from rasen.weights.network_tensors import interpolate_into, load_into, named_tensors

Value = TypeVar("Value")


def load_at_point(recipe: Recipe, device: str, gpus: int = 1) -> tuple[Family, torch.nn.Module]:
    """The family and its network, in eval mode on `device`, with the weights of a point.

    gpus: over how many the network is divided, where the device is "cuda"
    """
    family = open_family(recipe.family, recipe.weights, recipe.options)
    several = [f"{device}:{card}" for card in range(gpus)] if device == "cuda" and gpus > 1 else ()
    return family, network_at_point(family, recipe, device, several)


def network_at_point(
    family: Family, recipe: Recipe, device: str, several: Sequence[str] = ()
) -> torch.nn.Module:
    """The family's network with the weights of `recipe.point`, which are never on disk.

    several: devices over which it is divided, in the place of `device`
    """
    point = parse_point(recipe.point)
    network = family.build("cpu" if several else device, recipe.dtype)
    if several:  # before it has values: what no page was touched for takes no main memory
        divide(network, several)
    if point.kind == "gradient":
        load_into(network, read_safetensors(_given(recipe.corrected)))
    elif point.kind == "step":
        load_into(network, family.load(_given(recipe.checkpoint)))
    elif point.kind == "trained":
        load_into(network, family.load(family.folder))
    elif point.kind == "untrained":
        load_into(network, initial_tensors(family, _given(recipe.initial)))
    else:
        interpolate(family, network, _given(recipe.initial), _given(point.position))
    if recipe.statistics:
        estimate_batch_norms(family, network, Inputs(recipe.statistics), device)
    return network


def interpolate(
    family: Family, network: torch.nn.Module, initial: Initialisation, alpha: float
) -> None:
    """Put the weights at `alpha` on the straight line from a start to the trained model."""
    trained = family.load(family.folder)
    interpolate_into(network, initial_tensors(family, initial, trained), trained, alpha)


def initial_tensors(
    family: Family, initial: Initialisation, trained: Mapping[str, LazyTensor] | None = None
) -> dict[str, LazyTensor]:
    """The tensors of theta_init by name, each drawn when it is read, alone."""
    if initial.rule == "permuted":
        return {
            name: LazyTensor(end.shape, partial(_permuted, end, initial.seed, name))
            for name, end in (trained or family.load(family.folder)).items()
        }
    shapes = {
        name: tuple(t.shape) for name, t in named_tensors(family.build("meta", "float32")).items()
    }
    rules: dict[str, list[InitRule]]
    if initial.rule == "zeros":
        rules = {name: [constant(0.0)] for name in shapes}
    else:
        rules = family.init_rules(initial.rule)
    return {
        name: LazyTensor(shape, partial(draw_tensor, rules[name], shape, initial.seed, name))
        for name, shape in shapes.items()
    }


def _given(field: Value | None) -> Value:
    assert field is not None  # a Recipe refuses to lack what its kind of point needs
    return field


def _permuted(tensor: LazyTensor, seed: int, name: str) -> torch.Tensor:
    return permuted_tensor(tensor.read(), seed, name)
