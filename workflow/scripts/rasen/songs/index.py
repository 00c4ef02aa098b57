"""The corpus as tables: songs for training, and the quarantine of rejected ones with reasons."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.seeds import generator
from rasen.songs.duplicates import find_duplicates
from rasen.songs.reasons import REASONS

MEASURES = [
    "peak",
    "clipping",
    "silence",
    "match_ratio",
    "score",
    "tempo",
    "loudness",
]  # of stages, kept in the tables
ORIGINS = {  # texts of stages: where lyrics come from and how they were found, the key, and the
    # identity (a hash) of what made sketch and latents
    "align_lyrics": ["lyrics", "way"],
    "describe_music": ["music_key"],
    "encode_sketch": ["codebook"],
    "encode_latents": ["vae"],
}
QUARANTINE = ["song", "stage", "reason", "detail", "meaning", "cure", "seconds", *MEASURES]


@dataclass(frozen=True)
class Filters:
    """Requirements of a song for the training set; `songs.filters` of the config.

    match: least share of the lyric words that were found;  score: least mean score of the words
    silence, clipping: greatest shares;  duplicates: whether to reject the later of two copies
    """

    match: float
    score: float
    silence: float
    clipping: float
    duplicates: bool

    def __post_init__(self) -> None:
        raise_all(
            f"songs.filters.{name}: {value} is not a share; give a number from 0 to 1"
            for name in ("match", "score", "silence", "clipping")
            if not 0 <= (value := getattr(self, name)) <= 1
        )


@dataclass(frozen=True)
class Splits:
    """Shares of the artists that are held out; `songs.splits` of the config."""

    valid: float
    test: float

    def __post_init__(self) -> None:
        if self.valid < 0 or self.test < 0 or self.valid + self.test > 1:
            raise RasenError(
                f"songs.splits: valid {self.valid} and test {self.test} are no shares of a corpus; "
                "give numbers from 0 that sum to at most 1"
            )


@dataclass(frozen=True)
class IndexSettings:
    """What the tables depend on."""

    filters: Filters
    splits: Splits


def build_tables(
    stages: Mapping[str, pd.DataFrame],
    shards: pd.DataFrame,
    prints: Mapping[str, np.ndarray],
    settings: IndexSettings,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(songs, quarantine): one row per accepted song, one row per rejected song and stage.

    stages: {stage: its ledgers' rows}; the first has every song of the sheet
    shards: DataFrame [song, artist, language, seconds, shard, offset, frames]
    prints: {song: fingerprint}, in the order of the sheet
    """
    rejections = [
        {"song": row.song, "stage": stage, "reason": row.reason, "detail": row.detail}
        for stage, rows in stages.items()
        for row in rows[rows["outcome"] == "out"].itertuples(index=False)
    ]
    songs = _with_measures(shards, stages, MEASURES)
    for stage, names in ORIGINS.items():
        rows = stages.get(stage, pd.DataFrame()).reindex(columns=["song", *names])
        songs = songs.merge(rows.astype(object).fillna(""), on="song", how="left")
    failed = _filtered(songs, settings.filters)
    accepted = {*songs["song"]} - {song for song, *_ in failed}
    # Only among accepted songs: of a copy and an original that was rejected, the copy stays.
    candidates = {song: prints[song] for song in prints if song in accepted}
    copies = find_duplicates(candidates) if settings.filters.duplicates else {}
    failed += [
        (song, "duplicate", f"the same recording as {other}") for song, other in copies.items()
    ]
    rejections += [
        {"song": song, "stage": "index_songs", "reason": reason, "detail": detail}
        for song, reason, detail in failed
    ]
    quarantine = pd.DataFrame(rejections, columns=["song", "stage", "reason", "detail"])
    quarantine = _with_measures(quarantine, stages, ["seconds", *MEASURES])
    quarantine["meaning"] = [REASONS[reason].meaning for reason in quarantine["reason"]]
    quarantine["cure"] = [REASONS[reason].cure for reason in quarantine["reason"]]
    order = {song: place for place, song in enumerate(next(iter(stages.values()))["song"])}
    quarantine = quarantine.sort_values("song", key=lambda names: names.map(order), kind="stable")
    songs = songs[~songs["song"].isin(quarantine["song"])]
    artists = songs["artist"].unique()
    split = {artist: split_of_artist(artist, settings.splits, seed) for artist in artists}
    songs = songs.assign(split=songs["artist"].map(split).astype(str))
    songs = songs.sort_values("song", key=lambda names: names.map(order))
    return songs.reset_index(drop=True), quarantine[QUARANTINE].reset_index(drop=True)


def _with_measures(songs, stages, names):
    """`songs` with the columns `names` from the stages that have them; NaN where none has."""
    for name in names:
        rows = next((rows for rows in stages.values() if name in rows), None)
        measured = rows.set_index("song")[name] if rows is not None else pd.Series(dtype=float)
        songs = songs.assign(**{name: songs["song"].map(measured).astype(float)})
    return songs


def _filtered(songs, filters):
    """(song, reason, detail) of each song and filter that it does not pass."""
    bounds = [  # column, limit, reason, whether the limit is a least one
        ("match_ratio", filters.match, "low_match", True),
        ("score", filters.score, "low_score", True),
        ("silence", filters.silence, "silence", False),
        ("clipping", filters.clipping, "clipping", False),
    ]
    failed = []
    for column, limit, reason, least in bounds:
        bad = songs[column] < limit if least else songs[column] > limit
        side = "below" if least else "above"
        failed += [
            (row.song, reason, f"{column} {getattr(row, column):.3g} is {side} {limit:g}")
            for row in songs[bad].itertuples(index=False)
        ]
    return failed


def split_of_artist(artist: str, splits: Splits, seed: int) -> str:
    """Split of an artist, drawn from the name: all songs of one artist are in the same split, and
    stay in it when the corpus grows."""
    place = generator(seed, "split", artist.casefold()).random()
    bounds = np.cumsum([splits.test, splits.valid])
    return ("test", "valid", "train")[int(np.searchsorted(bounds, place, side="right"))]
