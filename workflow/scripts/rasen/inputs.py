"""Stimuli as a model reads them (tokens, samples), on disk: made once, used at every point.

Fields are ragged: `fields/NAME/rows` holds all clips below each other [rows, ...] and
`fields/NAME/lengths` how many rows each clip has. `clips/` repeats the sheet of the stimuli.
"""

import numpy as np
import torch

from rasen import store


def write(path, encoded, clips, **attributes):
    """Write an iterable of {field: array [time, ...]}, one a clip, with the table of clips.

    Clips are written as they come, so that memory holds one of them.
    """
    with store.create(path, clip_count=len(clips), **attributes) as writer:
        fields, lengths = {}, {}
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

    def __init__(self, path):
        self.path = path
        store.verify(path)
        with store.open_file(path) as file:
            self.clips = store.read_table(file, "clips")
            self.attributes = dict(file.attrs)
            self.lengths = {name: field["lengths"][:] for name, field in file["fields"].items()}
        self.ends = {name: np.cumsum(lengths) for name, lengths in self.lengths.items()}

    def __len__(self):
        return len(self.clips)

    @property
    def frames(self):
        """Length of each clip [clip], that of the first field."""
        return next(iter(self.lengths.values()))

    def clip(self, index):
        """One clip {field: array [time, ...]} as it was encoded."""
        found = {}
        with store.open_file(self.path) as file:
            for name, ends in self.ends.items():
                rows = file["fields"][name]["rows"]
                found[name] = rows[ends[index] - self.lengths[name][index] : ends[index]]
        return found

    def batches(self, size, device="cpu"):
        """Dictionaries {field: [clip, time, ...], "lengths": [clip]}, zero-padded, in order."""
        with store.open_file(self.path) as file:
            for start in range(0, len(self), size):
                stop = min(start + size, len(self))
                batch = {
                    name: self._padded(file["fields"][name]["rows"], name, start, stop)
                    for name in self.lengths
                }
                batch["lengths"] = torch.from_numpy(self.frames[start:stop])
                yield {name: tensor.to(device) for name, tensor in batch.items()}

    def _padded(self, rows, name, start, stop):
        lengths, ends = self.lengths[name][start:stop], self.ends[name][start:stop]
        block = rows[ends[0] - lengths[0] : ends[-1]]
        padded = np.zeros((stop - start, lengths.max(), *block.shape[1:]), block.dtype)
        filled = np.arange(lengths.max())[None] < lengths[:, None]
        padded[filled] = block
        return torch.from_numpy(padded)
