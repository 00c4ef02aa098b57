"""The corpus as tables: songs that training may take, and those that fell out, with the reason."""

import numpy as np
import pandas as pd

from rasen.seeds import generator
from rasen.songs import duplicates
from rasen.songs.reasons import REASONS

MEASURES = ["peak", "clipping", "silence", "match_ratio", "score"]  # of stages, kept in the tables
QUARANTINE = ["song", "stage", "reason", "detail", "meaning", "cure", "seconds", *MEASURES]


def build(stages, shards, prints, filters, splits, seed):
    """(songs, quarantine): one row a song that stayed, one row a song and stage where it fell out.

    stages: {stage: its ledgers' rows}; the first has every song of the sheet
    shards: DataFrame [song, artist, language, seconds, shard, offset, frames]
    prints: {song: fingerprint}, in the order of the sheet
    """
    out = [
        {"song": row.song, "stage": stage, "reason": row.reason, "detail": row.detail}
        for stage, rows in stages.items()
        for row in rows[rows["outcome"] == "out"].itertuples(index=False)
    ]
    songs = _with_measures(shards, stages, MEASURES)
    failed = _filtered(songs, filters)
    good = [song for song in prints if song in {*songs["song"]} - {song for song, *_ in failed}]
    # A copy of a song that fell out is no duplicate: one of the two stays.
    same = duplicates.find({song: prints[song] for song in good}) if filters["duplicates"] else {}
    failed += [
        (song, "duplicate", f"the same recording as {other}") for song, other in same.items()
    ]
    out += [
        {"song": song, "stage": "index_songs", "reason": reason, "detail": detail}
        for song, reason, detail in failed
    ]
    quarantine = pd.DataFrame(out, columns=["song", "stage", "reason", "detail"])
    quarantine = _with_measures(quarantine, stages, ["seconds", *MEASURES])
    quarantine["meaning"] = [REASONS[reason][0] for reason in quarantine["reason"]]
    quarantine["cure"] = [REASONS[reason][1] for reason in quarantine["reason"]]
    order = {song: place for place, song in enumerate(next(iter(stages.values()))["song"])}
    quarantine = quarantine.sort_values("song", key=lambda s: s.map(order), kind="stable")
    songs = songs[~songs["song"].isin(quarantine["song"])]
    split = [split_of(artist, splits, seed) for artist in songs["artist"]]
    songs = songs.assign(split=pd.Series(split, index=songs.index, dtype=str))
    songs = songs.sort_values("song", key=lambda s: s.map(order))
    return songs.reset_index(drop=True), quarantine[QUARANTINE].reset_index(drop=True)


def _with_measures(songs, stages, names):
    """Columns `names` of the stages that have them, beside `songs`; NaN where none has."""
    for name in names:
        rows = next((rows for rows in stages.values() if name in rows), None)
        measured = rows.set_index("song")[name] if rows is not None else pd.Series(dtype=float)
        songs = songs.assign(**{name: songs["song"].map(measured).astype(float)})
    return songs


def _filtered(songs, filters):
    """(song, reason, detail) of each song and filter that it does not pass."""
    bounds = [  # column, its filter, the reason, whether less is worse
        ("match_ratio", "match", "low_match", True),
        ("score", "score", "low_score", True),
        ("silence", "silence", "silence", False),
        ("clipping", "clipping", "clipping", False),
    ]
    found = []
    for column, name, reason, least in bounds:
        bad = songs[column] < filters[name] if least else songs[column] > filters[name]
        word = "below" if least else "above"
        found += [
            (row.song, reason, f"{column} {getattr(row, column):.3g} is {word} {filters[name]:g}")
            for row in songs[bad].itertuples(index=False)
        ]
    return found


def split_of(artist, splits, seed):
    """Split of an artist, drawn from the name: all songs of one stay together, and stay there when
    the corpus grows."""
    place = generator(seed, "split", artist.casefold()).random()
    bounds = np.cumsum([splits["test"], splits["valid"]])
    return ("test", "valid", "train")[int(np.searchsorted(bounds, place, side="right"))]
