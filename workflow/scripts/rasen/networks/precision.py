"""The arithmetic of a network: float32, or bf16 where it is asked for or measured to be faster."""

from typing import Literal

import torch

from rasen.sae.kernel import fastest_ways

Precision = Literal["fp32", "bf16", "auto"]


def float_type(precision: Precision, device: str) -> torch.dtype:
    """The type in which a network runs (autocast); `auto`: the faster here, timed once."""
    fastest = fastest_ways(torch.device(device).type)["auto"] if precision == "auto" else precision
    return torch.bfloat16 if fastest == "bf16" else torch.float32
