"""The losses of one training run of SongBloom, step by step."""

from pathlib import Path

import pandas as pd

from rasen.figures.style import BLUE, RED, foot, head, page, save

SMOOTHED = 50  # how many stretches the running mean divides a run into
LOSSES = (("lm", "sketch: loss (nats per token)"), ("flow", "latents: loss (mean square error)"))


def draw_training(table: pd.DataFrame, run: str, path: Path) -> None:
    """The sketch's loss on the left, the flow's on the right.

    table: rows of one run: step, split (train, valid), lm, flow
    """
    figure, ((left, right),) = page(columns=2, height=3.0)
    seen = table[table["split"] == "train"].sort_values("step")
    held_out = table[table["split"] == "valid"].sort_values("step")
    width = max(1, len(seen) // SMOOTHED)
    for axis, (name, label) in zip((left, right), LOSSES, strict=True):
        axis.plot(seen["step"], seen[name], color=BLUE, alpha=0.25, linewidth=0.8)
        mean = seen[name].rolling(width, min_periods=1, center=True).mean()
        axis.plot(seen["step"], mean, color=BLUE, label="training")
        if len(held_out):
            axis.plot(held_out["step"], held_out[name], "o-", color=RED, ms=3, label="validation")
        axis.set(xlabel="step", ylabel=label)
        axis.set_ylim(bottom=0)
        axis.legend()
    head(figure, f"{run}: losses of the training run")
    foot(figure, f"Thin: every step; thick: mean over {width} steps.")
    save(figure, path)
