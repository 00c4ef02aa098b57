"""The windows of the corpus that a codebook is trained on."""

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.networks.frames import FRAME_RATE
from rasen.seeds import generator

HELD_OUT = 0.1  # share of the songs, at least one


def sample_windows(songs: pd.DataFrame, frames: int, window: float, seed: int) -> pd.DataFrame:
    """DataFrame [song, audio, start, seconds, held_out] of windows with about `frames` frames.

    songs: DataFrame [song, audio, seconds, outcome, reason], one row per song;  window: seconds
    Windows are drawn evenly over the corpus's time and do not overlap; held-out ones are of songs
    that give no others.
    """
    usable = songs[songs["outcome"] == "ok"]
    if len(usable) < 2:
        counts = songs.loc[songs["outcome"] != "ok", "reason"].value_counts()
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.items())
        raise RasenError(
            f"the codebook wants two recordings at least (one is held out); of {len(songs)} there "
            f"are {len(usable)} ({reasons or 'no others'}; results/tables/recordings.parquet has "
            "all). Correct the sheet, or name a codebook in songs.sketch.codebook"
        )
    rows = [
        (song.song, song.audio, start, min(window, song.seconds - start))
        for song in usable.itertuples(index=False)
        for start in np.arange(0, song.seconds, window)
        if song.seconds - start >= min(1.0, song.seconds)
    ]
    windows = pd.DataFrame(rows, columns=["song", "audio", "start", "seconds"])
    names = generator(seed, "held out").permutation(usable["song"].to_numpy())
    held_out = names[: max(1, round(HELD_OUT * len(names)))]
    order = generator(seed, "cuts").permutation(len(windows))
    seconds = np.cumsum(windows["seconds"].to_numpy()[order])
    enough = np.searchsorted(seconds * FRAME_RATE, frames) + 1
    chosen = windows.iloc[np.sort(order[:enough])]
    if chosen["song"].isin(held_out).all() or not chosen["song"].isin(held_out).any():
        first = windows.groupby("song").head(1)  # a small sample: at least one window per song
        chosen = pd.concat([chosen, first]).drop_duplicates(["song", "start"])
    return chosen.assign(held_out=chosen["song"].isin(held_out)).reset_index(drop=True)
