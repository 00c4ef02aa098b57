"""Perplexity: exp of the mean cross entropy, as audiocraft defines it (eq. 5 of the paper)."""

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from rasen.errors import RasenError
from rasen.families import LossFamily
from rasen.io.inputs import Inputs
from rasen.stats import bootstrap


@torch.inference_mode()
def clip_losses(
    family: LossFamily, network: torch.nn.Module, inputs: Inputs, device: str, batch: int
) -> pd.DataFrame:
    """One row per clip and group: summed cross entropy (nats) and number of targets."""
    parts = tqdm(inputs.batches(batch, device), "loss", -(-len(inputs) // batch), disable=None)
    pairs = [family.losses(network, part) for part in parts]
    sums = torch.cat([sums for sums, _ in pairs]).double().cpu().numpy()
    counts = torch.cat([counts for _, counts in pairs]).cpu().numpy()
    clips, groups = sums.shape
    if not np.isfinite(sums).all():
        clip = inputs.clips["clip"].iloc[int(np.argmin(np.isfinite(sums).all(1)))]
        raise RasenError(
            f"the loss of clip {clip} is not a number; with dtype float16 or bfloat16 try "
            "dtype: float32 for this model"
        )
    return pd.DataFrame(
        {
            "clip": np.repeat(inputs.clips["clip"].to_numpy(), groups),
            "group": np.tile(family.loss_groups, clips),
            "loss": sums.ravel(),
            "targets": counts.ravel(),
        }
    )


def summarise_losses(losses: pd.DataFrame, draws: int, seed: int, *names: str) -> pd.DataFrame:
    """Loss and perplexity of every group and of their mean, with a bootstrap interval over clips.

    losses: the table of `clip_losses`. The groups' mean is taken before the exponential.
    """
    groups = list(dict.fromkeys(losses["group"]))
    sums = losses["loss"].to_numpy().reshape(-1, len(groups))  # [clip, group]
    counts = losses["targets"].to_numpy().reshape(-1, len(groups))

    def statistic(weights):
        """Weights [draws, clip] -> loss of each group, and their mean [draws, group + 1]."""
        each = (weights @ sums) / (weights @ counts)
        return np.concatenate([each, each.mean(-1, keepdims=True)], axis=-1)

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
