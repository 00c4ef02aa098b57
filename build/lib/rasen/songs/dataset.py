"""What training reads: windows of songs with their lyrics, in an order that can be taken up again.

    windows = Windows("results/tables/songs.parquet", seconds=150, seed=0)
    order = Order(windows, rank=rank, world=world)
    for place in order:                     # for ever, epoch after epoch
        window = windows[place]
    saved = order.state_dict()              # for order.load_state_dict(saved), which goes on there

Both fit torch's DataLoader (windows as the dataset, order as the sampler; files are opened by each
worker itself). Its workers read ahead of the training: the place in its order is then
`order.position_after(place)` of the last window that was used.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np

from rasen.errors import CURE, RasenError
from rasen.io import parquet
from rasen.seeds import generator
from rasen.songs import phonemes
from rasen.songs.shards import LATENTS, Shard

RATE = 25  # frames a second
PATCH = 16  # frames that training takes together: every window starts and ends on their bounds
OPEN = 128  # shards that a process holds open, about 0.7 MB each
METADATA = 1 << 16  # bytes of HDF5's own tables and texts that an open shard remembers


class Windows:
    """Windows of at most `seconds` of the songs of one split.

    A song gives as many windows an epoch as it is long, at least one; where they start is drawn
    anew each epoch, from seed, epoch and window alone. `windows[place]`: place counts on through
    the epochs. Shards are looked for beside the index: ../shards/{shard}.h5.
    """

    def __init__(self, index, split="train", seconds=150.0, seed=0):
        self.folder = Path(index).parent.parent / "shards"
        songs = parquet.read_table(index)
        self.songs = songs[songs["split"] == split].reset_index(drop=True)
        if self.songs.empty:
            raise RasenError(f"{index}: has no songs of split '{split}'")
        self.most = int(seconds * RATE) // PATCH * PATCH  # ASSUME: 150 s are 3744 frames, as public
        if self.most < PATCH:
            raise RasenError(f"a window of {seconds} s holds no patch of {PATCH / RATE} s")
        self.split, self.seed = split, seed
        shares = np.maximum(1, np.round(self.songs["frames"] / self.most).astype(int))
        self.owner = np.repeat(np.arange(len(self.songs)), shares)  # the song of each window

    def __len__(self):
        """Windows an epoch."""
        return len(self.owner)

    def __getitem__(self, place):
        """{place, song, start, sketch [T], mean [T, 64], scale [T, 64], tokens, ids}.

        start: seconds from the song's beginning; tokens, ids: the window's lyrics as phonemes.
        """
        epoch, index = divmod(int(place), len(self))
        index = int(_permutation(self.seed, epoch, len(self))[index])
        song = self.songs.iloc[int(self.owner[index])]
        frames = min(int(song.frames) // PATCH * PATCH, self.most)
        free = (int(song.frames) - frames) // PATCH
        start = PATCH * int(generator(self.seed, "window", epoch, index).integers(free + 1))
        shard = opened(self.folder / f"{song.shard}.h5")
        row, offset = shard.find(song.song, int(song.frames))
        rows = slice(offset + start, offset + start + frames)
        latents = shard.latents[rows]
        tokens, ids = phonemes.sequence(
            json.loads(shard.phonemes[row]), start / RATE, (start + frames) / RATE
        )
        return {
            "place": int(place),
            "song": song.song,
            "start": start / RATE,
            "sketch": shard.sketch[rows],
            "mean": latents[:, :LATENTS],
            "scale": latents[:, LATENTS:],
            "tokens": tokens,
            "ids": np.array(ids, dtype=np.int32),
        }


class Order:
    """Places of one rank, without end: rank, rank + world, ... of each epoch.

    Every rank gets equally many of an epoch; those left over at its end are dropped.
    """

    def __init__(self, windows, rank=0, world=1):
        if not 0 <= rank < world:
            raise RasenError(f"rank {rank} of {world} ranks: ranks count from 0 to {world - 1}")
        if len(windows) < world:
            raise RasenError(f"{len(windows)} windows for {world} ranks: some would have none")
        self.windows, self.rank, self.world = windows, rank, world
        self.position = 0  # places given out so far

    @property
    def epoch_length(self):
        """Places of this rank an epoch."""
        return len(self.windows) // self.world

    def __iter__(self):
        while True:
            epoch, step = divmod(self.position, self.epoch_length)
            self.position += 1
            yield epoch * len(self.windows) + step * self.world + self.rank

    def position_after(self, place):
        """The position at which `place` has just been used (a DataLoader reads ahead)."""
        epoch, inside = divmod(int(place), len(self.windows))
        return epoch * self.epoch_length + inside // self.world + 1

    def state_dict(self):
        return {"position": self.position, **self._decided_by()}

    def load_state_dict(self, state):
        """Go on at a saved position of this very order; the rank may be another."""
        mine = self._decided_by()
        if other := [f"{key} {state.get(key)}, not {mine[key]}" for key in mine
                     if state.get(key) != mine[key]]:  # fmt: skip
            raise RasenError(f"the saved order is another one: it has {'; '.join(other)}")
        self.position = state["position"]

    def _decided_by(self):
        """What decides which window stands at which position."""
        windows = self.windows
        return {
            "split": windows.split,
            "seed": windows.seed,
            "frames": windows.most,
            "windows": len(windows),
            "world": self.world,
        }


def collate(windows):
    """{place [b], frames [b], length [b], sketch [b, T], mean [b, T, 64], scale [b, T, 64],
    ids [b, n]}: windows as one batch, zeros after the `frames` and `length` that are real."""
    batch = {key: _padded([w[key] for w in windows]) for key in ("sketch", "mean", "scale", "ids")}
    batch["frames"] = np.array([len(w["sketch"]) for w in windows])
    batch["length"] = np.array([len(w["ids"]) for w in windows])
    batch["place"] = np.array([w["place"] for w in windows])
    return batch


def _padded(arrays):
    longest = max(len(array) for array in arrays)
    whole = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(whole, arrays, strict=True):
        row[: len(array)] = array
    return whole


@lru_cache(maxsize=2)
def _permutation(seed, epoch, count):
    return generator(seed, "epoch", epoch).permutation(count)


def opened(path):
    """The Shard at `path`, as it lies there now."""
    try:
        written = os.stat(path).st_mtime_ns
    except FileNotFoundError:
        where = "shards lie beside tables/, in ../shards/"
        raise RasenError(f"{path}: no such file; {where}") from None
    return _opened(str(path), written, os.getpid())


@lru_cache(maxsize=OPEN)
def _opened(path, written, process):
    """An open Shard; one for each process, since HDF5 files don't survive a fork."""
    try:  # without a cache of chunks a window comes straight from the system's cache of the disk
        file = h5py.File(path, "r", rdcc_nbytes=0)
    except OSError as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None
    if not file.attrs.get("complete", False):
        raise RasenError(f"{path}: was never finished; {CURE}")
    cache = file.id.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = cache.max_size = METADATA
    file.id.set_mdc_config(cache)
    return Shard(file)
