"""Single notes: which clip is which key and instrument, and their features without a network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.helix.baselines import bag_of_tokens, log_frequency, log_mel
from rasen.helix.fitting import FEWEST_KEYS
from rasen.io import hdf5
from rasen.stimuli.synth import frequency

C2 = 65.4  # Hz, where the axis of the log-frequency spectrum begins at the latest
SILENCE = 1e-12  # -120 dB
RATE = 32_000  # ASSUME: spectra are of sound at MusicGen's rate, whatever the model's is


@dataclass(frozen=True)
class NoteGrid:
    """A set of notes with every key of every instrument."""

    rows: np.ndarray  # [instrument, key] rows of the table of clips
    instruments: list[str]
    pitches: np.ndarray  # [key]


def note_grid(clips: pd.DataFrame) -> NoteGrid:
    """The notes of a table of clips, in order.

    Raises where instruments lack keys, repeat them, or skip semitones.
    """
    if lacking := [name for name in ("pitch", "instrument") if name not in clips]:
        raise RasenError(
            f"the stimulus set has no column {' and no column '.join(lacking)}; `helix` needs one"
            " with both, such as kind: notes"
        )
    pitches = np.arange(clips["pitch"].min(), clips["pitch"].max() + 1)
    problems = []
    rows = []
    for instrument, notes in clips.groupby("instrument", sort=False)["pitch"]:
        counts = notes.value_counts()
        problems += [
            f"instrument {instrument}: pitch {pitch} is missing"
            for pitch in pitches
            if pitch not in counts.index
        ]
        problems += [
            f"instrument {instrument}: pitch {pitch} occurs {count} times"
            for pitch, count in counts.items()
            if count > 1
        ]
        rows.append(notes.sort_values().index.to_numpy())
    if len(pitches) < FEWEST_KEYS:
        problems.append(f"{len(pitches)} keys; a helix needs {FEWEST_KEYS} or more")
    raise_all(
        problems,
        heading="a helix needs one clip for every semitone and instrument; correct the set:",
    )
    return NoteGrid(np.stack(rows), list(clips["instrument"].unique()), pitches)


def names_of_draws(sets: Sequence[str], name: str, *names: str) -> tuple[str, ...]:
    """What names the random numbers of a set of notes: `names`, and of further sets their own.

    So what is drawn for the first set does not depend on whether there are others.
    """
    return names if name == sets[0] else (*names, name)


def read_pooled_activations(path: Path) -> tuple[pd.DataFrame, dict[int, np.ndarray]]:
    """(clips, {layer: features [clip, dim]}) of a file of pooled activations."""
    with hdf5.open_file(path) as file:
        layers = {int(name): hdf5.read_rows(file, f"layers/{name}") for name in file["layers"]}
        return hdf5.read_table(file, "clips"), layers


def encoded_clips(path: Path) -> pd.DataFrame:
    """The clips of a model's inputs: those of the set that are not in its quarantine."""
    with hdf5.open_file(path) as file:
        return hdf5.read_table(file, "clips")


def codec_token_shares(path: Path) -> np.ndarray | None:
    """Shares of the codec tokens of every clip [clip, dim]; None of a model that reads no codes.

    path: a model's inputs. Read without `rasen.io.inputs`, which needs torch.
    """
    with hdf5.open_file(path) as file:
        if "codes" not in file["fields"]:
            return None
        field = file["fields/codes"]
        clips = np.split(field["rows"][:], np.cumsum(field["lengths"][:])[:-1])
    cardinality = 1 + max(int(codes.max()) for codes in clips)
    return np.stack([bag_of_tokens(codes.T, cardinality) for codes in clips])


@dataclass(frozen=True)
class Sounds:
    """What notes sound like, without a network."""

    features: dict[str, np.ndarray]  # spectra by name, [clip, dim]
    loudness: np.ndarray  # [clip] root mean square in dB of full scale


def measure_sounds(sounds: Iterable[np.ndarray], lowest: int) -> Sounds:
    """The Sounds of arrays [time] at RATE; lowest: MIDI pitch of the lowest of them."""
    low = min(C2, frequency(lowest))
    mel, log_frequencies, loudness = [], [], []
    for sound in sounds:
        mel.append(log_mel(sound, RATE))
        log_frequencies.append(log_frequency(sound, RATE, low=low))
        loudness.append(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + SILENCE))
    features = {"log-mel": np.stack(mel), "log-frequency": np.stack(log_frequencies)}
    return Sounds(features, np.array(loudness))
