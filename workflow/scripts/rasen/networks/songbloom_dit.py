"""The diffusion transformer of SongBloom: full attention over one patch and what it is told.

Tensors have the names of the public checkpoint: pre-norm layer norms without bias, no biases,
SwiGLU, and rotary positions on the first channels of each head only.
"""

import torch
from torch.nn import functional as F

from rasen.networks.songbloom_config import SMALLEST_HEAD, SongBloomConfig


class DiT(torch.nn.Module):
    """x [n, row, d] -> its last `wanted` rows [n, wanted, d]; there is no norm at the end."""

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = torch.nn.ModuleList(Block(config) for _ in range(config.diff_layers))
        self.checkpointing = False

    def forward(self, x: torch.Tensor, wanted: int) -> torch.Tensor:
        """See the class."""
        rotation = rotations(x.shape[1], self.config, x.device)
        for number, layer in enumerate(self.layers, 1):
            # of the last layer nothing else is read, and it costs most
            rows = wanted if number == len(self.layers) else x.shape[1]
            if self.checkpointing and torch.is_grad_enabled():
                x = torch.utils.checkpoint.checkpoint(
                    layer, x, *rotation, rows, use_reentrant=False
                )
            else:
                x = layer(x, *rotation, rows)
        return x


class Block(torch.nn.Module):
    """Attention and a gated feed-forward layer, each added to what it reads."""

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        self.pre_norm = Norm(config.width)
        self.self_attn = Attention(config)
        self.ff_norm = Norm(config.width)
        self.ff = FeedForward(config)

    def forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, wanted: int
    ) -> torch.Tensor:
        """The last `wanted` rows of x [n, row, d] after this block; cos, sin [row, turned]."""
        x = x[:, -wanted:] + self.self_attn(self.pre_norm(x), cos, sin, wanted)
        return x + self.ff(self.ff_norm(x))


class Norm(torch.nn.Module):
    """Layer norm with a learned scale; its shift is stored and stays zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = torch.nn.Parameter(torch.ones(width))
        self.register_buffer("beta", torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., d]."""
        return F.layer_norm(x, x.shape[-1:], self.gamma, self.beta)


class Attention(torch.nn.Module):
    """Rows attend to every row."""

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.to_qkv = torch.nn.Linear(config.width, 3 * config.width, bias=False)
        self.to_out = torch.nn.Linear(config.width, config.width, bias=False)

    def forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, wanted: int
    ) -> torch.Tensor:
        """What the last `wanted` rows of x [n, row, d] read; cos, sin [row, turned]."""
        if wanted == x.shape[1]:
            q, k, v = self._heads(self.to_qkv(x), 3)
        else:
            width = x.shape[-1]
            (q,) = self._heads(F.linear(x[:, -wanted:], self.to_qkv.weight[:width]), 1)
            k, v = self._heads(F.linear(x, self.to_qkv.weight[width:]), 2)
        q, k = turn(q, cos[-wanted:], sin[-wanted:]), turn(k, cos, sin)
        read = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(read.transpose(1, 2).flatten(2))

    def _heads(self, x, parts):
        """[part, n, head, row, channel] of x [n, row, parts * d]."""
        return x.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4)


class Gate(torch.nn.Module):
    """up(x) silu(gate(x))."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.up_proj = torch.nn.Linear(width, inner, bias=False)
        self.gate_proj = torch.nn.Linear(width, inner, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., d]."""
        return self.up_proj(x) * F.silu(self.gate_proj(x))


class FeedForward(torch.nn.Module):
    """SwiGLU, with the names that the public one has."""

    def __init__(self, config: SongBloomConfig) -> None:
        super().__init__()
        inner = config.mlp * config.width
        last = torch.nn.Linear(inner, config.width, bias=False)
        self.ff = torch.nn.Sequential(Gate(config.width, inner), torch.nn.Identity(), last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., d]."""
        return self.ff(x)


def rotations(
    rows: int, config: SongBloomConfig, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin [row, turned] of the channels that are turned by their row."""
    turned = max(int(config.head * config.turned), SMALLEST_HEAD)
    places = torch.arange(0, turned, 2, device=device).float() / turned
    angles = torch.outer(torch.arange(rows, device=device).float(), config.diff_rope**-places)
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """The first channels of x [n, head, row, channel] turned, the rest as they are."""
    count = cos.shape[-1]
    first, rest = x[..., :count].float(), x[..., count:]
    left, right = first.chunk(2, -1)
    turned = first * cos + torch.cat([-right, left], -1) * sin
    return torch.cat([turned.to(x.dtype), rest], -1)
