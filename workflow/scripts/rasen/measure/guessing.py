"""What a guesser's loss would be, who knows no context: the scale of perplexities."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rasen.families import LossFamily
from rasen.io.inputs import Inputs
from rasen.measure.batches import batches

GUESSERS = ("uniform", "unigram")


def guessed_losses(family: LossFamily, inputs: Inputs, batch: int = 8) -> pd.DataFrame:
    """The table of `clip_losses` for the same targets, with a column guesser: one of GUESSERS.

    "uniform": all tokens of a group are equally likely. "unigram": they are as likely as in the
    other clips (`unigram_losses`), whatever stands before them.
    """
    clips: list[list[np.ndarray]] = []  # tokens [clip][group]
    for part in batches(family, inputs, batch, "cpu", "tokens"):
        for groups in family.wanted(part).numpy():
            clips.append([tokens[tokens >= 0] for tokens in groups])
    unigram = [
        unigram_losses(tokens, family.cardinality) for tokens in zip(*clips, strict=True)
    ]  # [group][clip]
    targets = np.array([[len(tokens) for tokens in clip] for clip in clips])  # [clip, group]
    losses = {"uniform": targets * np.log(family.cardinality), "unigram": np.transpose(unigram)}
    one = pd.DataFrame(
        {
            "clip": np.repeat(inputs.clips["clip"].to_numpy(), targets.shape[1]),
            "group": np.tile(family.loss_groups, len(targets)),
            "targets": targets.ravel(),
        }
    )
    return pd.concat(
        [one.assign(guesser=name, loss=losses[name].ravel()) for name in GUESSERS],
        ignore_index=True,
    )


def unigram_losses(clips: Sequence[np.ndarray], cardinality: int) -> np.ndarray:
    """Summed cross entropy [clip] of each clip's tokens, their frequencies taken from the others.

    So a clip does not tell of itself: frequencies of the very tokens that are guessed would give
    their entropy, less than any guesser can reach. Witten and Bell's smoothing: of n tokens, k of
    them different, token w has the probability (count(w) + k / cardinality) / (n + k), so that
    what was never seen is uniform, and the less likely the less is new. One clip alone is uniform.
    """
    total = np.bincount(np.concatenate(clips), minlength=cardinality)
    losses = []
    for tokens in clips:
        others = total - np.bincount(tokens, minlength=cardinality)
        different = np.count_nonzero(others)
        if different:
            seen = others[tokens] + different / cardinality
            losses.append(-np.log(seen / (others.sum() + different)).sum())
        else:
            losses.append(len(tokens) * np.log(cardinality))
    return np.array(losses)
