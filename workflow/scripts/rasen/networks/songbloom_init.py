"""The first weights of a SongBloom: each tensor drawn from the seed and its own name."""

import torch

from rasen.networks.songbloom import SongBloom
from rasen.networks.songbloom_config import SongBloomConfig
from rasen.weights.init_rules import InitRule, constant, draw_tensor, normal

STD = 0.02


def init_rules(network: SongBloom) -> dict[str, list[InitRule]]:
    """As the public code: matrices and embeddings N(0, .02), biases zero, scales of norms one."""
    rules = {}
    for name, tensor in network.state_dict().items():
        last = name.rsplit(".", 1)[-1]
        if name == "timestep_features.weight":
            rules[name] = [normal(1.0)]
        elif (tensor.ndim == 2 and last != "blank_emb") or name == "bos_token":
            rules[name] = [normal(STD)]
        else:
            rules[name] = [constant(float("norm" in name and last in ("weight", "gamma")))]
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
            row = ((module.embedding_dim,), (1,), module.padding_idx * module.embedding_dim)
            rules[f"{name}.weight"].append(InitRule("constant", region=row))
    return rules


@torch.no_grad()
def initialised(config: SongBloomConfig, seed: int) -> SongBloom:
    """A network with first weights, on the CPU in float32."""
    with torch.device("meta"):
        network = SongBloom(config)
    network.to_empty(device="cpu")
    network.fill_tables()
    rules = init_rules(network)
    for name, tensor in network.state_dict().items():
        tensor.copy_(draw_tensor(rules[name], tensor.shape, seed, name))
    return network
