"""The arithmetic of a network: float32, or bf16 where it is asked for or measured to be faster."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Literal

import torch

from rasen.sae.kernel import CLEARLY

Precision = Literal["fp32", "bf16", "auto"]
TRIALS = 3


def float_type(precision: Precision, trial: Callable[[torch.dtype], Any]) -> torch.dtype:
    """The type in which a network runs (autocast).

    `auto`: the faster here. The network itself is timed: on the same processor bf16 halves the time
    of MuQ's matrix products and lengthens that of the VAE's convolutions.
    trial: runs the network on something short in that type, and waits for it
    """
    if precision != "auto":
        return torch.bfloat16 if precision == "bf16" else torch.float32
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        trial(dtype)  # warms up
        seconds[dtype] = min(_seconds(trial, dtype) for _ in range(TRIALS))
    gains = CLEARLY * seconds[torch.bfloat16] < seconds[torch.float32]
    return torch.bfloat16 if gains else torch.float32


def _seconds(trial, dtype):
    start = perf_counter()
    trial(dtype)
    return perf_counter() - start
