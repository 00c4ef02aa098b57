"""Single notes: which clip is which key and instrument, and their features without a network."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.helix.baselines import bag_of_tokens, log_frequency, log_mel
from rasen.helix.fitting import FEWEST_KEYS
from rasen.io import hdf5

RATE = 32_000  # ASSUME: spectra are of sound at MusicGen's rate, whatever the model's is


def keyboard(clips: pd.DataFrame) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Order of the clips of a note set: (rows [instrument, key], instruments, pitches [key]).

    clips: its sheet. Raises where instruments lack keys, double them, or leave semitones out.
    """
    if lacking := [name for name in ("pitch", "instrument") if name not in clips]:
        raise RasenError(
            f"the stimulus set has no column {' and no column '.join(lacking)}; `helix` needs one"
            " with both, such as kind: notes"
        )
    pitches = np.arange(clips["pitch"].min(), clips["pitch"].max() + 1)
    problems = []
    order = []
    for instrument, rows in clips.groupby("instrument", sort=False)["pitch"]:
        counts = rows.value_counts()
        problems += [f"instrument {instrument}: pitch {p} is missing"
                     for p in pitches if p not in counts.index]  # fmt: skip
        problems += [f"instrument {instrument}: pitch {p} occurs {n} times"
                     for p, n in counts.items() if n > 1]  # fmt: skip
        order.append(rows.sort_values().index.to_numpy())
    if len(pitches) < FEWEST_KEYS:
        problems.append(f"{len(pitches)} keys; a helix needs {FEWEST_KEYS} or more")
    raise_all(
        problems,
        heading="a helix needs one clip for every semitone and instrument; correct the set:",
    )
    return np.stack(order), list(clips["instrument"].unique()), pitches


def read_pooled(path: Path) -> tuple[pd.DataFrame, dict[int, np.ndarray]]:
    """(clips, {layer: features [clip, dim]}) of a file of pooled activations."""
    with hdf5.open_file(path) as file:
        layers = {int(name): hdf5.read_rows(file, f"layers/{name}") for name in file["layers"]}
        return hdf5.read_table(file, "clips"), layers


def token_shares(path: Path) -> np.ndarray | None:
    """Shares of the codec tokens of every clip [clip, dim], or None where a model reads no codes.

    path: a model's inputs. Read without `rasen.io.inputs`, which needs torch.
    """
    with hdf5.open_file(path) as file:
        if "codes" not in file["fields"]:
            return None
        field = file["fields/codes"]
        clips = np.split(field["rows"][:], np.cumsum(field["lengths"][:])[:-1])
    highest = 1 + max(int(codes.max()) for codes in clips)
    return np.stack([bag_of_tokens(codes.T, highest) for codes in clips])


def spectra(sounds: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Features of sounds that no network made: {name: [clip, dim]}.

    sounds: arrays [time] at RATE.
    """
    both = [(log_mel(s, RATE), log_frequency(s, RATE))
            for s in sounds]  # fmt: skip
    mel, frequency = map(np.stack, zip(*both, strict=True))
    return {"log-mel": mel, "log-frequency": frequency}
