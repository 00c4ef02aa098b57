"""How a Jukebox prior is initialised: by OpenAI's training code, or by transformers' class."""

import re
from collections.abc import Mapping, Sequence

from transformers.models.deprecated.jukebox import JukeboxPriorConfig

from rasen.weights.init_rules import InitRule, constant, normal, uniform


def prior_init_rules(
    shapes: Mapping[str, Sequence[int]], config: JukeboxPriorConfig, rule: str
) -> dict[str, list[InitRule]]:
    """The rule of every tensor of a JukeboxPrior; shapes: {name: shape}."""
    return {name: [_rule(name, shapes, config, rule)] for name in shapes}


def _rule(name, shapes, config, rule):
    """OpenAI's rule of one tensor; transformers' differs in the labels and the lyrics' encoder.

    Gaussians of width .02 or .01 times the prior's `init_scale`; convolutions and a head of its
    own as PyTorch makes them, biases included.
    # ASSUME: config.json has the `init_scale` of the training (.4 below, .2 or .1 on top)
    """
    scale = config.init_scale
    if name.startswith("encoder.") and rule == "official":  # the encoder's own training settings
        scale = config.encoder_config.init_scale
    if "layer_norm" in name:
        return constant(float(name.endswith(".weight")))
    if name.startswith("conditioner_blocks.upsampler."):
        _, width, kernel = shapes[name.removesuffix(".bias").removesuffix(".weight") + ".weight"]
        return uniform((width * kernel) ** -0.5)
    if name.endswith(".bias"):
        return constant(0.0)
    if re.search(
        r"(pos_emb\.pos_emb|start_token|(length|absolute_pos|relative_pos)_emb\..*)$", name
    ):
        return normal(0.01 * scale)
    if re.search(r"(genre|artist)_emb\.", name):
        return normal((0.01 if rule == "official" else 0.02) * scale)
    if name == "prior.fc_proj_out.weight":  # where it is not tied to the embeddings
        return uniform(shapes[name][-1] ** -0.5)
    return normal(0.02 * scale)
