"""The next token of a sketch from logits: guidance, penalty for repetition, temperature, top-k."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch


class TokenSettings(Protocol):
    """What a choice needs to know; see GenerateSettings."""

    @property
    def guidance(self) -> float: ...
    @property
    def temperature(self) -> float: ...
    @property
    def top_k(self) -> int: ...
    @property
    def penalty(self) -> float: ...


@dataclass(frozen=True)
class Choice:
    """recent: tokens that were just used (None: no penalty); uniform: a number in [0, 1)."""

    recent: np.ndarray | None
    uniform: float


def next_tokens(
    logits: torch.Tensor, count: int, choices: Sequence[Choice], settings: TokenSettings
) -> torch.Tensor:
    """Tokens [b] from logits [b, id] (with guidance [2 b, id]: with and without conditions)."""
    if settings.guidance != 1:
        told, untold = logits.split(count)
        logits = untold + (told - untold) * settings.guidance
    logits = logits.clone()
    end = logits.shape[1] - 1
    for row, choice in zip(logits, choices, strict=True):
        if choice.recent is not None:
            used = np.unique(choice.recent)
            # also where a logit is negative, which makes the token likelier: as the public code
            row[torch.from_numpy(used[used < end]).to(row.device)] /= settings.penalty
    if settings.temperature == 0:
        return logits.argmax(1)
    scores = logits / settings.temperature
    if 0 < settings.top_k < scores.shape[1]:
        least = scores.topk(settings.top_k, 1).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    # float64: where the sum reaches the number must not hang on the size of the batch
    reached = scores.double().softmax(1).cumsum(1)
    drawn = torch.tensor([[choice.uniform] for choice in choices], dtype=torch.float64)
    places = torch.searchsorted(reached, drawn.to(reached.device) * reached[:, -1:], right=True)
    return places[:, 0].clamp_max(end)
