"""A model at a point: the recipe of a point turned into a network with those weights."""

from functools import partial

from rasen import points
from rasen.families import open_family
from rasen.weights import checkpoint as checkpoints
from rasen.weights.checkpoint import Lazy
from rasen.weights.fill import blend_in, copy_in, slots
from rasen.weights.laws import constant, draw, shuffled


def open_at(recipe, device):
    """The family and its network, in eval mode on `device`, with the weights of a point.

    recipe: {"family", "options", "dtype", "weights": folder, "point": name,
             "initial": {"rule", "seed"} (theta_init of the point's start),
             "checkpoint": folder of a step point, "corrected": file of a gradient point}
    """
    family = open_family(recipe["family"], recipe["weights"], recipe.get("options"))
    return family, network_at(family, recipe, device)


def network_at(family, recipe, device):
    """The family's network with the weights of `recipe["point"]`; its tensors are never on disk."""
    point = points.parse(recipe["point"])
    network = family.network(device, recipe["dtype"])
    if point.kind == "gradient" and recipe.get("corrected"):
        corrected = checkpoints.read_file(recipe["corrected"])
        copy_in(network, corrected)
    elif point.kind == "step":
        copy_in(network, family.checkpoint(recipe["checkpoint"]))
    elif point.kind == "trained":
        copy_in(network, family.checkpoint(family.folder))
    elif point.kind == "untrained":
        copy_in(network, initial_tensors(family, recipe["initial"]))
    else:
        blend(family, network, recipe["initial"], point.position)
    return network


def blend(family, network, initial, alpha):
    """Put the weights at `alpha` on the straight line from a start to the trained model."""
    trained = family.checkpoint(family.folder)
    starts = initial_tensors(family, initial, trained)
    blend_in(network, starts, trained, alpha)


def initial_tensors(family, initial, trained=None):
    """{name: Lazy} of theta_init, each tensor drawn when it is read, alone.

    initial: {"rule": "official" | "hf" | "zeros" | "permuted", "seed": int}
    """
    rule, seed = initial["rule"], initial.get("seed", 0)
    if rule == "permuted":
        trained = trained or family.checkpoint(family.folder)
        return {
            name: Lazy(end.shape, lambda name=name, end=end: shuffled(end.read(), seed, name))
            for name, end in trained.items()
        }
    shapes = {name: t.shape for name, t in slots(family.network("meta", "float32")).items()}
    laws = {n: [constant(0.0)] for n in shapes} if rule == "zeros" else family.laws(rule)
    return {
        name: Lazy(shape, partial(draw, laws[name], shape, seed, name))
        for name, shape in shapes.items()
    }
