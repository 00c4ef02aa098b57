"""Which moments of the corpus a codebook is trained on."""

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.networks.frames import RATE
from rasen.seeds import generator

HELD_OUT = 0.1  # share of the songs, at least one


def cuts(songs, frames, window, seed):
    """DataFrame [song, audio, start, seconds, held_out] of windows that hold some `frames` frames.

    songs: DataFrame [song, audio, seconds, outcome, reason]. Windows are drawn
    evenly over the corpus's time and do not overlap; held-out ones are of songs of their own.
    """
    sound = songs[songs["outcome"] == "ok"]
    if len(sound) < 2:
        reasons = songs.loc[songs["outcome"] != "ok", "reason"].value_counts()
        told = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        raise RasenError(
            f"the codebook wants two recordings at least (one is held out); of {len(songs)} there "
            f"are {len(sound)} ({told or 'no others'}; results/tables/recordings.parquet has "
            "all). Mend the sheet, or name a codebook in songs.sketch.codebook"
        )
    songs = sound
    rows = [
        (song.song, song.audio, start, min(window, song.seconds - start))
        for song in songs.itertuples(index=False)
        for start in np.arange(0, song.seconds, window)
        if song.seconds - start >= min(1.0, song.seconds)
    ]
    rows = pd.DataFrame(rows, columns=["song", "audio", "start", "seconds"])
    names = generator(seed, "held out").permutation(songs["song"].to_numpy())
    held_out = names[: max(1, round(HELD_OUT * len(names)))]
    order = generator(seed, "cuts").permutation(len(rows))
    enough = np.searchsorted(np.cumsum(rows["seconds"].to_numpy()[order]) * RATE, frames) + 1
    chosen = rows.iloc[np.sort(order[:enough])]
    if chosen["song"].isin(held_out).all() or not chosen["song"].isin(held_out).any():
        first = rows.groupby("song").head(1)  # a small sample: one window a song at least
        chosen = pd.concat([chosen, first]).drop_duplicates(["song", "start"])
    return chosen.assign(held_out=chosen["song"].isin(held_out)).reset_index(drop=True)
