"""The training set for training: windows of songs with their lyrics, in a resumable order.

    windows = Windows("results/tables/songs.parquet", seconds=150, seed=0)
    order = Order(windows, rank=rank, world=world)
    for place in order:                     # without end, epoch after epoch
        window = windows[place]
    saved = order.state_dict()              # order.load_state_dict(saved) resumes there

Both work with torch's DataLoader (windows as the dataset, order as the sampler; each worker opens
its own files). Its workers read ahead of the training: the position in its order is then
`order.position_after(place)` of the last window that was used.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rasen.errors import CURE, RasenError
from rasen.io import parquet
from rasen.networks.frames import FRAME_RATE, LATENT_CHANNELS, PATCH
from rasen.seeds import generator
from rasen.songs import layout
from rasen.songs.phonemes import window_tokens
from rasen.songs.shards import Shard

OPEN_SHARDS = 128  # that a process keeps open, about 0.7 MB each
METADATA_CACHE = 1 << 16  # bytes of HDF5's own tables and texts that an open shard caches


class Windows:
    """Windows of at most `seconds` of the songs of one split.

    In every epoch each frame of a song is in exactly one of its windows (but for a rest shorter
    than a patch, at its end). Where they begin is drawn anew each epoch, from seed, epoch and song
    alone; they start and end on patches. `windows[place]`: places are numbered on
    through the epochs. Shards are read from beside the index: ../shards/{shard}.h5.

    seconds_per_flag: what a flag without singing stands for (1; 5 for SongBloom's model of 240 s)
    longest_text: greatest number of ids of a window (600; 1000 for that model)
    inventory, vocabulary: the phonemes' name and number of ids, the same for all songs
    """

    def __init__(
        self,
        index: Path | str,
        split: str = "train",
        seconds: float = 150.0,
        seed: int = 0,
        seconds_per_flag: float = 1.0,
        longest_text: int = 600,
    ) -> None:
        self.results = Path(index).parent.parent
        songs = parquet.read_table(index)
        self.inventory, self.vocabulary = _vocabulary(songs, index)
        self.songs = songs[songs["split"] == split].reset_index(drop=True)
        if self.songs.empty:
            raise RasenError(f"{index}: has no songs of split '{split}'")
        # ASSUME: 150 s are 3744 frames, as in SongBloom's public code
        self.most = int(seconds * FRAME_RATE) // PATCH * PATCH
        if self.most < PATCH:
            raise RasenError(f"a window of {seconds} s holds no patch of {PATCH / FRAME_RATE} s")
        self.split, self.seed = split, seed
        self.seconds_per_flag, self.longest_text = seconds_per_flag, longest_text
        counts = -(self.songs["frames"].to_numpy() // PATCH // -(self.most // PATCH))
        self.owner = np.repeat(np.arange(len(self.songs)), counts)  # the song of each window
        self.number = np.arange(len(self.owner)) - np.repeat(np.cumsum(counts) - counts, counts)

    def __len__(self) -> int:
        """Windows per epoch."""
        return len(self.owner)

    @property
    def marks(self) -> dict[str, int]:
        """The ids of flags, full stop and comma: {"[verse]": 1, ".": 8, ...}."""
        return self._phonemes(self.songs.iloc[0])["marks"]

    def __getitem__(self, place: int) -> dict[str, Any]:
        """{place, song, start, sketch [T], mean [T, 64], scale [T, 64], tokens, ids, cut}.

        start: seconds from the song's beginning; tokens, ids: the window's lyrics as phonemes
        cut: number of ids beyond `longest_text`, which were left out
        """
        epoch, index = divmod(int(place), len(self))
        index = int(_permutation(self.seed, epoch, len(self))[index])
        song = self.songs.iloc[int(self.owner[index])]
        rng = generator(self.seed, "windows", epoch, song.song)
        lengths = PATCH * window_lengths(int(song.frames) // PATCH, self.most // PATCH, rng)
        number = self.number[index]
        start, frames = int(lengths[:number].sum()), int(lengths[number])
        shard, row, offset = self._locate(song)
        rows = slice(offset + start, offset + start + frames)
        latents = shard.latents[rows]
        tokens, ids = window_tokens(
            json.loads(shard.phonemes[row]),
            start / FRAME_RATE,
            (start + frames) / FRAME_RATE,
            self.seconds_per_flag,
        )
        return {
            "place": int(place),
            "song": song.song,
            "start": start / FRAME_RATE,
            "sketch": shard.sketch[rows],
            "mean": latents[:, :LATENT_CHANNELS],
            "scale": latents[:, LATENT_CHANNELS:],
            "tokens": tokens[: self.longest_text],
            "ids": np.array(ids[: self.longest_text], dtype=np.int32),
            "cut": max(0, len(ids) - self.longest_text),
        }

    def _locate(self, song):
        """(shard, row in its table, first frame) of a song."""
        shard = open_shard(layout.shard_file(self.results, song.shard))
        return shard, *shard.locate(song.song, int(song.frames))

    def _phonemes(self, song):
        shard, row, _ = self._locate(song)
        return json.loads(shard.phonemes[row])


def window_lengths(patches: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """The lengths [windows] of a song's windows, in order: `patches` in windows of at most `most`.

    All are full but two, at a place and of lengths that are drawn, so that windows start anywhere.
    """
    full, rest = divmod(patches, most)
    if not full or not rest:
        return np.array([most] * full + [rest] * bool(rest))
    both = most + rest
    least = max(rest, min(most // 4, both // 2))  # shorter ones would teach little
    first = int(rng.integers(least, both - least + 1))
    place = int(rng.integers(full))
    return np.array([most] * place + [first, both - first] + [most] * (full - 1 - place))


def _vocabulary(songs, index):
    """(name of the inventory, number of its ids); songs of different ones are refused."""
    if not {"inventory", "vocabulary"} <= {*songs}:
        raise RasenError(f"{index}: is of an older version; run `snakemake songs`")
    found = songs[["inventory", "vocabulary"]].drop_duplicates()
    if len(found) > 1:
        raise RasenError(
            f"{index}: the songs' phonemes have different ids ({', '.join(found['inventory'])}); "
            "run `snakemake songs` with one `songs.phonemes.vocabulary`"
        )
    return tuple(found.iloc[0]) if len(found) else ("", 0)


class Order:
    """Places of one rank, without end: every `world`-th, from `rank` on, epoch after epoch.

    Together the ranks get every window of every epoch once. A saved order goes on with any number
    of ranks.
    """

    def __init__(self, windows: Windows, rank: int = 0, world: int = 1) -> None:
        if not 0 <= rank < world:
            raise RasenError(f"rank {rank} of {world} ranks: ranks count from 0 to {world - 1}")
        if len(windows) < world:
            raise RasenError(f"{len(windows)} windows for {world} ranks: some would have none")
        self.windows, self.rank, self.world = windows, rank, world
        self.position = 0  # the first place that no rank has had

    def __iter__(self) -> Iterator[int]:
        while True:
            self.position += self.world
            yield self.position - self.world + self.rank

    def position_after(self, place: int) -> int:
        """The position just after `place` (a DataLoader reads ahead of it)."""
        return int(place) - self.rank + self.world

    def state_dict(self) -> dict[str, Any]:
        """The position, and what the order depends on."""
        return {"next_place": self.position, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume at a saved position of the same order; rank and number of ranks may differ."""
        expected = self._identity()
        different = [
            f"{key} {state.get(key)}, not {value}"
            for key, value in expected.items()
            if state.get(key) != value
        ]
        if "next_place" not in state:
            different.append("no next_place, as those of older versions")
        if different:
            raise RasenError(f"the saved order is another one: it has {'; '.join(different)}")
        self.position = state["next_place"]

    def _identity(self):
        """Everything that determines which window stands at which position."""
        windows = self.windows
        return {
            "split": windows.split,
            "seed": windows.seed,
            "frames": windows.most,
            "windows": len(windows),
        }


def collate(windows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """{place [b], frames [b], length [b], sketch [b, T], mean [b, T, 64], scale [b, T, 64],
    ids [b, n]}: windows as one batch, padded with zeros after `frames` frames and `length` ids."""
    batch = {key: _padded([w[key] for w in windows]) for key in ("sketch", "mean", "scale", "ids")}
    batch["frames"] = np.array([len(w["sketch"]) for w in windows])
    batch["length"] = np.array([len(w["ids"]) for w in windows])
    batch["place"] = np.array([w["place"] for w in windows])
    return batch


def _padded(arrays):
    longest = max(len(array) for array in arrays)
    padded = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded


@lru_cache(maxsize=2)
def _permutation(seed, epoch, count):
    return generator(seed, "epoch", epoch).permutation(count)


def open_shard(path: Path | str) -> Shard:
    """The Shard at `path`; a file that was replaced is opened again."""
    try:
        modified = os.stat(path).st_mtime_ns
    except FileNotFoundError:
        hint = "shards lie beside tables/, in ../shards/"
        raise RasenError(f"{path}: no such file; {hint}") from None
    return _open_shard(str(path), modified, os.getpid())


@lru_cache(maxsize=OPEN_SHARDS)
def _open_shard(path, modified, process):
    """An open Shard, cached per file, time of change and process (HDF5 files don't survive a
    fork)."""
    try:  # without HDF5's cache of chunks: the system's cache of the disk has them already
        file = h5py.File(path, "r", rdcc_nbytes=0)
    except OSError as error:
        raise RasenError(f"{path}: damaged or cut short ({error}); {CURE}") from None
    if not file.attrs.get("complete", False):
        raise RasenError(f"{path}: was never finished; {CURE}")
    cache = file.id.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = cache.max_size = METADATA_CACHE
    file.id.set_mdc_config(cache)
    return Shard(file)
