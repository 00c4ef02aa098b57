"""The loss of every clip under a model at a point."""

import numpy as np
import pandas as pd
import torch

from rasen.errors import RasenError
from rasen.families import LossFamily
from rasen.io.inputs import Inputs
from rasen.measure.batches import batches


@torch.inference_mode()
def clip_losses(
    family: LossFamily, network: torch.nn.Module, inputs: Inputs, device: str, batch: int
) -> pd.DataFrame:
    """One row per clip and group: summed cross entropy (nats) and number of targets."""
    parts = batches(family, inputs, batch, device, "loss")
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
