"""Spectra of clips, as features without a network to read tasks from.

clips/...                       the clips that can be heard
features/log-mel, log-frequency [clips, bands]   time means
frames/log-mel                  [rows, bands]    of equal parts of a second
frames/clip, frame              [rows]
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.helix.baselines import log_frequency, log_mel
from rasen.io import hdf5
from rasen.measure.notes import RATE

LEAST = 8192  # samples, the longest window of a spectrum; shorter sounds are padded with silence
WINDOW = 2048  # of the spectrum of a part of a second


def write_spectra(
    path: Path, clips: pd.DataFrame, sound: Callable[[Any], np.ndarray], frames: int
) -> None:
    """Spectra of every clip that can be heard.

    sound:  maps a row of `clips` to samples [time] at RATE
    frames: parts of a second whose spectra are kept too; 0: none
    """
    heard, means, parts = [], [], []
    for number, row in enumerate(clips.itertuples()):
        try:
            samples = sound(row)
        except RasenError as error:  # left out of what a model reads, too
            print(f"left out: clip {row.clip}: {error}")
            continue
        heard.append(number)
        samples = np.pad(samples, (0, max(0, LEAST - len(samples))))
        means.append((log_mel(samples, RATE), log_frequency(samples, RATE)))
        if frames:
            parts.append(log_mel(np.stack(list(_parts(samples, frames))), RATE))
    if not heard:
        raise RasenError("no clip of this set can be heard")
    with hdf5.create(path, frames=frames) as writer:
        writer.table("clips", clips.iloc[heard].reset_index(drop=True))
        mel, log_frequencies = zip(*means, strict=True)
        writer.array("features/log-mel", np.stack(mel).astype(np.float32))
        writer.array("features/log-frequency", np.stack(log_frequencies).astype(np.float32))
        if frames:
            counts = [len(part) for part in parts]
            writer.array("frames/log-mel", np.concatenate(parts).astype(np.float32))
            writer.array("frames/clip", np.repeat(np.arange(len(parts)), counts))
            writer.array("frames/frame", np.concatenate([np.arange(count) for count in counts]))


def _parts(samples: np.ndarray, frames: int) -> Iterable[np.ndarray]:
    """Equal parts of a second of samples [time], as long as a window at least."""
    length = max(WINDOW, round(RATE / frames))
    padded = np.pad(samples, (0, length))
    for number in range(-(-len(samples) * frames // RATE)):
        start = round(number * RATE / frames)
        yield padded[start : start + length]


def clip_ends(path: Path) -> pd.Series:
    """Seconds of every clip's sound by its name, to the parts of a second that were measured."""
    with hdf5.open_file(path) as file:
        names = hdf5.read_table(file, "clips", ["clip"])["clip"]
        counts = np.bincount(file["frames/clip"][:], minlength=len(names))
        return pd.Series(counts / file.attrs["frames"], index=names)


def read_spectra(
    path: Path, clips: pd.DataFrame, clip: np.ndarray, frame: np.ndarray | None
) -> dict[str, np.ndarray]:
    """{name: features [rows, bands]} of the rows of a dump: of its `clips`, or of their frames.

    clip, frame: of each row; a last frame that the spectra lack is that before it
    """
    with hdf5.open_file(path) as file:
        names = hdf5.read_table(file, "clips", ["clip"])["clip"]
        place = {name: number for number, name in enumerate(names)}
        of_rows = np.array([place[name] for name in clips["clip"]])[clip]
        if frame is None:
            return {
                name: hdf5.read_rows(file, f"features/{name}")[of_rows] for name in file["features"]
            }
        counts = np.bincount(file["frames/clip"][:], minlength=len(names))
        first = np.cumsum(counts) - counts
        rows = first[of_rows] + np.minimum(frame, counts[of_rows] - 1)
        return {"log-mel": hdf5.read_rows(file, "frames/log-mel")[rows]}
