"""Stimuli as a model reads them (tokens, samples), on disk: encoded once, used at every point.

Fields are ragged: `fields/NAME/rows` holds all clips below each other [rows, ...] and
`fields/NAME/lengths` the number of rows of each clip. `clips/` is the table of the stimuli.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.utils.rnn import pad_sequence

from rasen.io import hdf5


def write_inputs(
    path: Path | str,
    encoded: Iterable[Mapping[str, np.ndarray]],
    clips: pd.DataFrame,
    **attributes: Any,
) -> None:
    """Write an iterable of {field: array [time, ...]}, one per clip, with the table of clips.

    Clips are written one by one, so that memory holds one of them.
    """
    with hdf5.create(path, clip_count=len(clips), **attributes) as writer:
        writer.file.create_group("fields")  # also where there is no clip
        fields: dict[str, hdf5.Rows] = {}
        lengths: dict[str, list[int]] = {}
        for clip in encoded:
            for name, rows in clip.items():
                if name not in fields:
                    shape, dtype = rows.shape[1:], rows.dtype
                    fields[name] = writer.dataset(f"fields/{name}/rows", None, shape, dtype)
                fields[name].append(rows)
                lengths.setdefault(name, []).append(len(rows))
        for name in fields:
            writer.array(f"fields/{name}/lengths", np.array(lengths[name], np.int64))
        writer.table("clips", clips)


class Inputs:
    """A file of model inputs, read batch by batch."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        hdf5.verify(path)
        with hdf5.open_file(path) as file:
            self.clips = hdf5.read_table(file, "clips")
            self.attributes = dict(file.attrs)
            self.field_lengths = {
                name: field["lengths"][:] for name, field in file["fields"].items()
            }
        self.ends = {name: np.cumsum(lengths) for name, lengths in self.field_lengths.items()}

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def lengths(self) -> np.ndarray:
        """Number of rows of each clip in the first field [clip]."""
        return next(iter(self.field_lengths.values()))

    def clip(self, index: int) -> dict[str, np.ndarray]:
        """One clip {field: array [time, ...]} as it was encoded."""
        return next(self.some([index]))

    def some(self, indices: Iterable[int]) -> Iterator[dict[str, np.ndarray]]:
        """Some clips, one after another."""
        with hdf5.open_file(self.path) as file:
            for index in indices:
                yield {
                    name: file["fields"][name]["rows"][
                        ends[index] - self.field_lengths[name][index] : ends[index]
                    ]
                    for name, ends in self.ends.items()
                }

    def picked(
        self, indices: Sequence[int] | np.ndarray, device: str = "cpu"
    ) -> dict[str, torch.Tensor]:
        """Some clips as one batch, in the form and padding of `batches`."""
        clips = list(self.some(indices))
        batch = {
            name: pad_sequence([torch.from_numpy(clip[name]) for clip in clips], batch_first=True)
            for name in self.field_lengths
        }
        batch["lengths"] = torch.from_numpy(self.lengths[indices])
        return {name: tensor.to(device) for name, tensor in batch.items()}

    def parts(self, size: int, padded: bool = True) -> list[tuple[int, int]]:
        """(start, stop) of runs of at most `size` clips; if not `padded`, of one length each."""
        limits = [0, len(self)]
        if not padded:
            changes = np.flatnonzero(np.diff(self.lengths)) + 1
            limits = [0, *changes.tolist(), len(self)]
        return [
            (start, min(start + size, stop))
            for first, stop in pairwise(limits)
            for start in range(first, stop, size)
        ]

    def batches(
        self, size: int, device: str = "cpu", padded: bool = True
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Dictionaries {field: [clip, time, ...], "lengths": [clip]} of `parts`, zero-padded."""
        with hdf5.open_file(self.path) as file:
            for start, stop in self.parts(size, padded):
                batch = {
                    name: self._padded(file["fields"][name]["rows"], name, start, stop)
                    for name in self.field_lengths
                }
                batch["lengths"] = torch.from_numpy(self.lengths[start:stop])
                yield {name: tensor.to(device) for name, tensor in batch.items()}

    def _padded(self, rows, name, start, stop):
        lengths, ends = self.field_lengths[name][start:stop], self.ends[name][start:stop]
        block = rows[ends[0] - lengths[0] : ends[-1]]
        padded = np.zeros((stop - start, lengths.max(), *block.shape[1:]), block.dtype)
        filled = np.arange(lengths.max())[None] < lengths[:, None]
        padded[filled] = block
        return torch.from_numpy(padded)
