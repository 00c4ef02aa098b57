"""Windows of the songs as stimuli: their own sketch, latents, lyrics and prompt, from the shards.

No sound is encoded, so neither MuQ nor the VAE is needed, and the model is told what it was told in
training. What it reads of other clips stands in `rasen.families.songbloom`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.families.songbloom import SongBloomFamily, clip_inputs
from rasen.io import inputs
from rasen.networks.frames import FRAME_RATE
from rasen.songbloom.batches import NO_LYRICS
from rasen.songs.dataset import Windows

LABELS = ["language", "tempo", "music_key"]  # columns of the index that the clips get
SAME = ("inventory", "codebook", "vae")


@dataclass(frozen=True)
class WindowSettings:
    """`stimuli.NAME` of the config for `kind: windows`.

    split, seconds, seed, seconds_per_flag, prompt: as of Windows
    clips: greatest number of windows, of those that together are every song once
    """

    split: Literal["train", "valid", "test"] = "valid"
    seconds: float = 30.0
    clips: int = 64
    seed: int = 0
    seconds_per_flag: float = 1.0
    prompt: Literal["stereo", "mono"] = "stereo"


def open_windows(index: Path, settings: WindowSettings, **more: Any) -> Windows:
    """The windows of a set;  more: what a model reads of each."""
    return Windows(
        index,
        split=settings.split,
        seconds=settings.seconds,
        seed=settings.seed,
        seconds_per_flag=settings.seconds_per_flag,
        prompt=settings.prompt,
        **more,
    )


def window_clips(index: Path, settings: WindowSettings) -> pd.DataFrame:
    """The table of a set: clip (SONG-SECONDS, where it starts), kind, group (the artist), song,
    start, seconds, window (its place in `Windows`), last (the song ends with it), and labels."""
    windows = open_windows(index, settings)
    songs = windows.songs.set_index("song")
    labels = [name for name in LABELS if name in songs]
    rows = []
    for place in range(min(settings.clips, len(windows))):
        window = windows[place]
        song = songs.loc[window["song"]]
        rows.append(
            {
                "clip": f"{window['song']}-{window['start']:.2f}",
                "kind": "windows",
                "group": song["artist"],
                "song": window["song"],
                "start": window["start"],
                "seconds": len(window["sketch"]) / FRAME_RATE,
                "window": place,
                "last": window["last"],
                **song[labels],
            }
        )
    return pd.DataFrame(rows)


def encode_windows(
    family: SongBloomFamily,
    clips: pd.DataFrame,
    index: Path,
    settings: WindowSettings,
    path: Path,
    **attributes: Any,
) -> pd.DataFrame:
    """Write what a model reads of the clips to `path`; those left out, with columns clip, reason.

    Raises for songs of another codebook, inventory or VAE than those that it was trained on.
    """
    config = family.config
    windows = open_windows(
        index,
        settings,
        longest_text=config.lyrics_rows,
        prompt_seconds=config.prompt_rows / FRAME_RATE,
    )
    raise_all(_foreign(family, windows), f"{index}: not what {family.folder} was trained on:")
    frames = (clips["seconds"] * FRAME_RATE).round().astype(int)
    broken = frames % config.patch > 0
    used = clips[~broken]
    if used.empty:
        raise RasenError(f"{index}: no window is a multiple of the model's patch, {config.patch}")
    encoded = (window_inputs(windows[place], config.codes) for place in used["window"])
    inputs.write_inputs(path, encoded, used.reset_index(drop=True), **attributes)
    reason = f"its frames are no multiple of {config.patch}, the model's patch"
    return pd.DataFrame({"clip": clips["clip"][broken], "reason": reason}, dtype=str)


def window_inputs(window: Mapping[str, Any], codes: int) -> dict[str, np.ndarray]:
    """What a model of so many codes reads of a window: its clip (latents: the means), lyrics [n],
    prompt [P, 64], and told [2], the numbers of ids and of the prompt's frames. Its end is not
    told."""
    if (most := int(window["sketch"].max())) >= codes:
        raise RasenError(
            f"{window['song']}: code {most} of its sketch, the model has {codes}; give the model "
            "whose codebook the songs have"
        )
    ids = np.asarray(window["ids"], np.int32)
    ids = ids if len(ids) else NO_LYRICS.astype(np.int32)
    return {
        **clip_inputs(window["mean"].astype(np.float32), window["sketch"].astype(np.int32)),
        "lyrics": ids,
        "prompt": window["prompt"].astype(np.float32),
        "told": np.array([len(ids), window["prompt_frames"]], np.int64),
    }


def _foreign(family: SongBloomFamily, windows: Windows) -> Iterator[str]:
    """What the songs are made of that the model was not trained on, where it says what that was."""
    about, found = family.about.about, windows.identity()
    for what in SAME:
        if what in about and about[what] != found[what]:
            yield f"{what} {found[what]}, not {about[what]}; give the songs that one"
    if windows.vocabulary > family.config.vocabulary:
        yield f"{windows.vocabulary} ids of phonemes, the model has {family.config.vocabulary}"
