"""Whether the attention of a Jukebox prior looks ahead: tried, since its config may be wrong."""

from copy import deepcopy

import torch
from transformers.models.deprecated.jukebox import JukeboxPriorConfig
from transformers.models.deprecated.jukebox.modeling_jukebox import JukeboxLayerStack

from rasen.seeds import generator


@torch.no_grad()
def looks_ahead(config: JukeboxPriorConfig) -> bool:
    """Whether some position's output depends on what enters at a later position.

    Tried on a copy of the prior's transformer with all of its layers and their attention (pattern,
    blocks, mask), but narrow and over short sequences: what is masked depends on neither.
    """
    config = deepcopy(config)
    config.hidden_size = int(2 * config.n_heads / min(1, config.attention_multiplier))
    config.nb_relevant_lyric_tokens = config.blocks
    length, width = 4 * config.blocks, config.hidden_size
    with torch.device("cpu"):
        stack = JukeboxLayerStack(config, length).eval()
    rng = generator(0, "looks_ahead")
    for parameter in stack.parameters():
        if parameter.ndim == 2:  # the matrices, which the class leaves as they were allocated
            parameter.copy_(torch.from_numpy(rng.normal(0, width**-0.5, parameter.shape)))
    entering = torch.from_numpy(rng.normal(size=(1, length, width))).float()
    lyrics = torch.from_numpy(rng.normal(size=(1, config.blocks, width))).float()
    before = stack(entering, lyrics)
    for position in (1, length // 2, length - 1):
        changed = entering.clone()
        changed[:, position] *= -1
        if not torch.allclose(stack(changed, lyrics)[:, :position], before[:, :position]):
            return True
    return False
