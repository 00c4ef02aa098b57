"""The training set for training: windows of songs with their lyrics, in a resumable order.

    windows = Windows("results/tables/songs.parquet", seconds=150, seed=0)
    order = Order(windows, rank=rank, world=world)
    for place in order:                     # without end, epoch after epoch
        window = windows[place]
    saved = order.state_dict()              # order.load_state_dict(saved) resumes there

Both work with torch's DataLoader (windows as the dataset, order as the sampler; each worker opens
its own files). Its workers read ahead of the training: the position in its order is then
`order.position_after(place)` of the last window that was used.

A window comes with a *prompt*, a stretch from elsewhere in its song: what a model hears of a voice
and a style before it sings. A saved order tells what data it is of, and resumes on no other.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from rasen.errors import CURE, RasenError, raise_all
from rasen.io import hashes, parquet
from rasen.networks.frames import FRAME_RATE, LATENT_CHANNELS, PATCH
from rasen.seeds import generator
from rasen.songs import layout
from rasen.songs.phonemes import window_tokens
from rasen.songs.shards import Shard

OPEN_SHARDS = 128  # that a process keeps open, about 0.7 MB each
METADATA_CACHE = 1 << 16  # bytes of HDF5's own tables and texts that an open shard caches
GONE = "no such file; shards lie beside tables/, in ../shards/: `snakemake songs` makes them"
SPLITS = ("train", "valid", "test")
PROMPTS = ("stereo", "mono")
SAME = {  # columns of the index that have one value for all songs, and what songs of two have
    "inventory": ("phonemes have different ids", "one `songs.phonemes.vocabulary`"),
    "vocabulary": ("phonemes have different numbers of ids", "one `songs.phonemes.vocabulary`"),
    "codebook": ("sketches are of different codebooks", "one codebook"),
    "vae": ("latents are of different VAEs", "one `songs.latents.model`"),
}


class Windows:
    """Windows of at most `seconds` of the songs of one split.

    In every epoch each frame of a song is in exactly one of its windows. Where they begin is drawn
    anew each epoch, from seed, epoch and song alone; they start and end on patches (songs are whole
    patches long). `windows[place]`: places are numbered on through the epochs. Shards are read from
    beside the index: ../shards/{shard}.h5.

    seconds_per_flag: what a flag without singing stands for (1; 5 for SongBloom's model of 240 s)
    longest_text: greatest number of ids of a window (600; 1000 for that model)
    prompt_seconds: length of the prompts;  prompt: of the recording (stereo), or of its mono mix,
        as in SongBloom's public code (mono; the shards need `songs.latents.mono: true`)

    inventory, vocabulary: the phonemes' name and number of ids, the same for all songs
    codebook, vae: the hashes of what made sketch and latents, as `encode_sketch` (of the file's
        SHA-256 the first 16 digits) and `encode_latents` (`hash_folder`) tell them
    most, prompt_most: frames of a full window and of a full prompt
    """

    def __init__(
        self,
        index: Path | str,
        split: str = "train",
        seconds: float = 150.0,
        seed: int = 0,
        seconds_per_flag: float = 1.0,
        longest_text: int = 600,
        prompt_seconds: float = 10.0,
        prompt: str = "stereo",
    ) -> None:
        self.results = Path(index).parent.parent
        # ASSUME: 150 s are 3744 frames, as in SongBloom's public code
        self.most = int(seconds * FRAME_RATE) // PATCH * PATCH
        self.prompt, self.prompt_most = prompt, int(prompt_seconds * FRAME_RATE)
        self.split, self.seed = split, seed
        self.seconds_per_flag, self.longest_text = seconds_per_flag, longest_text
        raise_all(self._wrong_settings(seconds, prompt_seconds))
        songs = parquet.read_table(index)
        _refuse_mixed(songs, index)
        self.songs = songs[songs["split"] == split].reset_index(drop=True)
        if self.songs.empty:
            raise RasenError(
                f"{index}: has no songs of split '{split}' ({_sizes(songs)}); whole artists are "
                "held out, as `songs.splits` says"
            )
        first = self.songs.iloc[0]
        self.inventory, self.vocabulary = str(first["inventory"]), int(first["vocabulary"])
        self.codebook, self.vae = str(first["codebook"]), str(first["vae"])
        self._refuse_missing_shards()
        self._latents(self._shard(first), prompt)  # all shards have mono latents, or none
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

    def identity(self) -> dict[str, str]:
        """What the data are: {songs (a hash of all their contents), inventory, codebook, vae}.

        Equal for equal data, wherever they lie and in whatever shards; a model that was trained on
        them reads no ids, tokens or latents of another inventory, codebook or VAE.
        """
        return dict(self._identity)

    @cached_property
    def _identity(self):
        rows = zip(*(self.songs[name] for name in ("song", "frames", "checksum")), strict=True)
        return {
            "songs": hashes.short_hash("\n".join(f"{s} {f} {c}" for s, f, c in rows)),
            "inventory": self.inventory,
            "codebook": self.codebook,
            "vae": self.vae,
        }

    def __getitem__(self, place: int) -> dict[str, Any]:
        """{place, song, start, last, sketch [T], mean [T, 64], scale [T, 64], tokens, ids, cut,
        prompt [P, 64], prompt_scale [P, 64], prompt_frames, overlap}.

        start: seconds from the song's beginning; tokens, ids: the window's lyrics as phonemes
        last: whether the song's last frame is the window's, so that the song ends after it
        cut: number of ids beyond `longest_text`, which were left out
        prompt, prompt_scale: means and scales of P = `prompt_most` frames; zeros from
            `prompt_frames` on, where the song is shorter;  overlap: of these, frames of the window
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
        rng = generator(self.seed, "prompt", epoch, song.song, int(number))
        prompt, prompt_frames, overlap = self._prompt(
            song, shard, offset, (start, start + frames), rng
        )
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
            "last": start + frames == int(song.frames),
            "sketch": shard.sketch[rows],
            "mean": latents[:, :LATENT_CHANNELS],
            "scale": latents[:, LATENT_CHANNELS:],
            "tokens": tokens[: self.longest_text],
            "ids": np.array(ids[: self.longest_text], dtype=np.int32),
            "cut": max(0, len(ids) - self.longest_text),
            "prompt": prompt[:, :LATENT_CHANNELS],
            "prompt_scale": prompt[:, LATENT_CHANNELS:],
            "prompt_frames": prompt_frames,
            "overlap": overlap,
        }

    def _prompt(self, song, shard, offset, window, rng):
        """(latents [prompt_most, 128], frames that are not padding, frames of the window)."""
        # Not of the zeros that fill the song's last patch; 1e-6 for seconds like 0.28.
        sounding = min(int(song.frames), int(song.seconds * FRAME_RATE + 1e-6))
        frames = min(self.prompt_most, sounding)
        first, overlap = prompt_start(sounding, frames, *window, rng)
        # ASSUME: frames of the whole song's latents do for the stretch encoded on its own, as in
        # SongBloom's public code: they differ within the encoder's receptive field of its ends.
        vectors = self._latents(shard, self.prompt)[offset + first : offset + first + frames]
        prompt = np.zeros((self.prompt_most, vectors.shape[1]), vectors.dtype)
        prompt[:frames] = vectors
        return prompt, frames, overlap

    def _latents(self, shard, mix):
        """The latents of the recording, or of its mono mix."""
        latents = shard.mono if mix == "mono" else shard.latents
        if latents is None:
            raise RasenError(
                f"{shard.path}: has no latents of the mono mix for prompts; set "
                "`songs.latents.mono: true` and run `snakemake songs`, or take prompt='stereo'"
            )
        return latents

    def _wrong_settings(self, seconds, prompt_seconds):
        if self.split not in SPLITS:
            yield f"split '{self.split}': there are {', '.join(SPLITS)}"
        if self.most < PATCH:
            yield f"a window of {seconds} s holds no patch of {PATCH / FRAME_RATE} s"
        if self.prompt not in PROMPTS:
            yield f"prompt '{self.prompt}': there are {' and '.join(PROMPTS)}"
        if prompt_seconds < 0:
            yield f"prompts of {prompt_seconds} s: give 0 for none"
        if self.seconds_per_flag <= 0:
            yield f"seconds_per_flag {self.seconds_per_flag}: give a number above 0, as 1 or 5"
        if self.longest_text < 1:
            yield f"longest_text {self.longest_text}: give a number from 1, as 600 or 1000"

    def _refuse_missing_shards(self):
        paths = [layout.shard_file(self.results, name) for name in self.songs["shard"].unique()]
        raise_all(f"{path}: {GONE}" for path in paths if not path.is_file())

    def _locate(self, song):
        """(shard, row in its table, first frame) of a song."""
        shard = self._shard(song)
        return shard, *shard.locate(song.song, int(song.frames), song.checksum)

    def _shard(self, song):
        return open_shard(layout.shard_file(self.results, song.shard))

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


def prompt_start(
    song: int, frames: int, begin: int, end: int, rng: np.random.Generator
) -> tuple[int, int]:
    """(first frame, overlap) of a prompt of `frames` frames in a song of `song` frames.

    Drawn among the places that share the fewest frames with the window [begin, end); `overlap` is
    that number, 0 wherever there is room beside the window.
    """
    starts = np.arange(song - frames + 1)
    shared = np.minimum(starts + frames, end) - np.maximum(starts, begin)
    shared = shared.clip(0)
    least = int(shared.min())
    return int(rng.choice(np.flatnonzero(shared == least))), least


def _refuse_mixed(songs, index):
    """Raise for songs that no model can read together, and for an index that cannot tell."""
    if not {*SAME, "checksum"} <= {*songs}:
        raise RasenError(f"{index}: is of an older version; run `snakemake songs`")
    found = {column: songs[column].unique() for column in SAME}
    raise_all(
        f"{index}: the songs' {what} ({', '.join(map(str, found[column]))}); run `snakemake songs` "
        f"with {cure}"
        for column, (what, cure) in SAME.items()
        if len(found[column]) > 1
    )


def _sizes(songs: pd.DataFrame) -> str:
    """How many songs each split has."""
    counts = songs["split"].value_counts()
    return ", ".join(f"{split}: {counts.get(split, 0)}" for split in SPLITS)


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
            **windows.identity(),
        }


def collate(windows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Windows as one batch: sketch [b, T], mean and scale [b, T, 64], ids [b, n], padded with zeros
    after `frames` [b] frames and `length` [b] ids; prompt and prompt_scale [b, P, 64], zeros after
    `prompt_frames` [b]; and per window [b] place, last, cut, overlap."""
    padded = ("sketch", "mean", "scale", "ids", "prompt", "prompt_scale")
    batch = {key: _padded([w[key] for w in windows]) for key in padded}
    batch["frames"] = np.array([len(w["sketch"]) for w in windows])
    batch["length"] = np.array([len(w["ids"]) for w in windows])
    for key in ("place", "last", "cut", "prompt_frames", "overlap"):
        batch[key] = np.array([w[key] for w in windows])
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
        raise RasenError(f"{path}: {GONE}") from None
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
