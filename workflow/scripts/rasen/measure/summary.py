"""Perplexity: exp of the mean cross entropy, as audiocraft defines it (eq. 5 of the paper)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.stats import bootstrap


@dataclass(frozen=True)
class PerplexitySettings:
    """How perplexities are summed up; the section `perplexity` of the config.

    bootstrap: resamples of the clips for the interval
    """

    bootstrap: int = 2000

    def __post_init__(self) -> None:
        if self.bootstrap < 1:
            raise RasenError(f"perplexity.bootstrap: {self.bootstrap}; give 1 or more")


def summarise_losses(losses: pd.DataFrame, draws: int, seed: int, *names: str) -> pd.DataFrame:
    """Loss and perplexity of every group and of their mean, with a bootstrap interval over clips.

    losses: the table of `clip_losses`. The groups' mean is taken before the exponential.
    """
    groups = list(dict.fromkeys(losses["group"]))
    sums = losses["loss"].to_numpy().reshape(-1, len(groups))  # [clip, group]
    counts = losses["targets"].to_numpy().reshape(-1, len(groups))

    def statistic(weights):
        """Weights [draws, clip] -> loss of each group, and their mean [draws, group + 1]."""
        losses = (weights @ sums) / (weights @ counts)
        return np.concatenate([losses, losses.mean(-1, keepdims=True)], axis=-1)

    value = statistic(np.ones((1, len(sums))))[0]
    low, high = bootstrap(statistic, len(sums), draws, seed, *names)
    return pd.DataFrame(
        {
            "group": [*groups, "mean"],
            "loss": value,
            "perplexity": np.exp(value),
            "low": np.exp(low),
            "high": np.exp(high),
            "clips": len(sums),
            "targets": [*counts.sum(0), counts.sum()],
        }
    )
