"""Scores as rows of one table: one per song where a metric has one, and one per system (song "").

Shares are shares (PER 0.07, not 7 %). `n` counts songs; of FAD rows of the smaller set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rasen.scores.agreement import mcc, mos
from rasen.scores.frechet import Groups, fad, fad_infinity, fad_interval
from rasen.scores.paper import PAPER, SOURCE
from rasen.scores.phonemes import edits, per, without_tones
from rasen.scores.rates import Rate
from rasen.scores.sections import Found, Target, ser

COLUMNS = ["system", "song", "metric", "value", "low", "high", "n", "embedding", "detail"]
EMPTY = {"song": "", "low": np.nan, "high": np.nan, "n": 1, "embedding": "", "detail": ""}
METRICS = {  # columns of the Markdown table: heading, factor, digits
    "per": ("PER %", 100, 2), "per_without_tones": ("without tones %", 100, 2),
    "mcc_audio": ("MCC audio", 1, 2), "mcc_text": ("MCC text", 1, 2),
    "fad": ("FAD", 1, 2), "fad_infinity": ("FAD∞", 1, 2),
    "ser_dtw": ("SER %", 100, 2), "ser_labels": ("SER labels %", 100, 2), "mos": ("MOS", 1, 2),
}  # fmt: skip

Row = dict[str, Any]


def phoneme_rows(
    songs: Mapping[str, tuple[Sequence[str], Sequence[str]]], draws: int, seed: int
) -> list[Row]:
    """PER of {song: (phonemes of its lyrics, phonemes heard)}, with tones and without."""
    references, heard = [pair[0] for pair in songs.values()], [pair[1] for pair in songs.values()]
    rows = []
    for metric, tones in (("per", True), ("per_without_tones", False)):
        rate = per(references, heard, tones, draws, seed)
        total = np.zeros(3, int)
        for name, *pair in zip(songs, references, heard, strict=True):
            counts = edits(*(pair if tones else map(without_tones, pair)))
            total += counts
            value = sum(counts) / len(pair[0])
            rows.append(_row(metric, song=name, value=value, detail=_counts(counts, len(pair[0]))))
        rows.append(_of_songs(metric, rate, detail=_counts(total, round(rate.lengths.sum()))))
    return rows


def section_rows(songs: Mapping[str, tuple[Found, Target]], draws: int, seed: int) -> list[Row]:
    """SER of {song: (sections found, sections asked for)}, by DTW and by labels."""
    rates = ser(
        [pair[0] for pair in songs.values()], [pair[1] for pair in songs.values()], draws, seed
    )
    rows = []
    for metric, rate, unit in (("ser_dtw", rates.dtw, "s"), ("ser_labels", rates.labels, "labels")):
        for name, errors, length in zip(songs, rate.errors, rate.lengths, strict=True):
            detail = f"{errors:g} of {length:g} {unit}"
            rows.append(_row(metric, song=name, value=errors / length, detail=detail))
        rows.append(_of_songs(metric, rate))
    return rows


def frechet_rows(
    x: Mapping[str, np.ndarray], y: Mapping[str, np.ndarray], embedding: str, infinite: bool,
    few: bool, seed: int,
) -> list[Row]:  # fmt: skip
    """FAD of a system's songs {song: [n, d]} from the references' {song: [m, d]}.

    infinite: extrapolated to infinitely many rows
    """
    rows = [np.concatenate(list(songs.values())) for songs in (x, y)]
    groups = (
        np.repeat(list(x), [len(each) for each in x.values()]),
        np.repeat(list(y), [len(each) for each in y.values()]),
    )

    def plain(one: np.ndarray, other: np.ndarray, _: Groups) -> float:
        return fad(one, other, few)

    def extrapolated(one: np.ndarray, other: np.ndarray, songs: Groups) -> float:
        return fad_infinity(one, other, seed, songs, few)

    distance = extrapolated if infinite else plain
    value, low, high = fad_interval(rows[0], rows[1], groups, distance, seed)
    detail = (
        f"{len(rows[0])} rows of {len(x)} songs, {len(rows[1])} of {len(y)} references, "
        f"{rows[0].shape[1]} dimensions; jackknife over songs"
    )
    if min(map(len, rows)) < rows[0].shape[1]:
        detail += "; fewer rows than dimensions: far too large"
    metric = "fad_infinity" if infinite else "fad"
    return [
        _row(
            metric, value=value, low=low, high=high, n=min(map(len, rows)),
            embedding=embedding, detail=detail,
        )
    ]  # fmt: skip


def cosine_rows(
    songs: Mapping[str, tuple[np.ndarray, np.ndarray]], metric: str, embedding: str, draws: int,
    seed: int,
) -> list[Row]:  # fmt: skip
    """MCC of {song: (its vector [e], its prompt's)}. metric: mcc_audio or mcc_text"""
    vectors = [np.stack(part) for part in zip(*songs.values(), strict=True)]
    rate = mcc(vectors[0], vectors[1], draws, seed)
    rows = [
        _row(metric, song=name, value=value, embedding=embedding)
        for name, value in zip(songs, rate.errors, strict=True)
    ]
    return [*rows, _of_songs(metric, rate, embedding=embedding)]


def rating_rows(ratings: pd.DataFrame, draws: int, seed: int) -> list[Row]:
    """MOS of one system's ratings, DataFrame [song, rater, rating]; rater "" where not named."""
    raters = ratings["rater"].tolist() if (ratings["rater"] != "").all() else None
    rate = mos(ratings["rating"].tolist(), ratings["song"].tolist(), raters, draws, seed)
    songs = np.unique(ratings["song"].astype(str))
    rows = [
        _row("mos", song=str(song), value=total / count, n=int(count))
        for song, total, count in zip(songs, rate.errors, rate.lengths, strict=True)
    ]
    detail = f"{len(ratings)} ratings by {len(set(raters)) if raters else 'unnamed'} raters"
    return [*rows, _of_songs("mos", rate, detail=detail)]


def as_table(rows: Mapping[str, Sequence[Row]]) -> pd.DataFrame:
    """The table of {system: its rows}."""
    flat = [{"system": system, **row} for system, own in rows.items() for row in own]
    types = {"value": float, "low": float, "high": float, "n": int}
    return pd.DataFrame(flat, columns=COLUMNS).astype(types)


def markdown(table: pd.DataFrame, out: pd.DataFrame) -> str:
    """A page like the paper's table, our systems with intervals above its own rows.

    out: DataFrame [system, song, metric, reason, detail] of what is left out
    """
    of_system = table[table["song"] == ""]
    columns = [metric for metric in METRICS if (of_system["metric"] == metric).any()]
    columns = columns or ["per"]
    lines = [["system", *(METRICS[metric][0] for metric in columns)]]
    lines.append(["---"] * len(lines[0]))
    for system, rows in of_system.groupby("system", sort=False):
        found = {row.metric: row for row in rows.itertuples()}
        lines.append([system, *(_cell(found.get(metric), metric) for metric in columns)])
    for system, values in PAPER.items():
        cells = [_number(values[m], m) if m in values else "" for m in columns]
        lines.append([f"{system} (paper)", *cells])
    notes = [
        "Below each value stands its 95 % interval: over songs (a bootstrap; of FAD a jackknife), "
        "and for MOS over songs and raters.",
        f"Rows of the paper: {SOURCE}. It names neither its recogniser nor embedding, n and "
        "detector, so its numbers and these are not comparable digit by digit.",
    ]
    for metric, rows in of_system[of_system["embedding"] != ""].groupby("metric", sort=False):
        sizes = ", ".join(f"{row.system} {row.n}" for row in rows.itertuples())
        notes.append(f"{METRICS[metric][0]}: {rows['embedding'].iloc[0]}; n: {sizes}.")
    if len(out):
        notes.append(f"Left out: {len(out)} rows, or metrics of rows (`scores_left_out.parquet`):")
        counts = out.groupby(["system", "metric", "reason"], sort=False).size()
        notes += [
            f"- {system or 'no system'}: {metric or 'all metrics'}, {reason}: {count}"
            for (system, metric, reason), count in counts.items()
        ]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "# Scores\n\n" + body + "\n\n" + "\n\n".join(notes) + "\n"


def _row(metric, **values):
    return EMPTY | {"metric": metric} | values


def _of_songs(metric, rate: Rate, **values):
    return _row(
        metric, value=rate.value, low=rate.low, high=rate.high, n=len(rate.errors), **values
    )


def _counts(counts, length):
    substituted, inserted, deleted = counts
    return f"{substituted} substituted, {inserted} inserted, {deleted} deleted of {length}"


def _number(value, metric):
    _, factor, digits = METRICS[metric]
    return f"{factor * value:.{digits}f}"


def _cell(row, metric):
    if row is None:
        return ""
    interval = (
        ""
        if np.isnan(row.low)
        else (f"<br>{_number(row.low, metric)} to {_number(row.high, metric)}")
    )
    return _number(row.value, metric) + interval
