"""One page on a corpus of songs: their outcomes, and how well their lyrics were found."""

from pathlib import Path

import numpy as np
import pandas as pd

from rasen.figures.style import BLUE, GREEN, ORANGE, RED, SKY, foot, head, page, save

SPLITS = {"train": BLUE, "valid": SKY, "test": GREEN}
REJECTED = ORANGE


def draw_songs(
    songs: pd.DataFrame,
    quarantine: pd.DataFrame,
    least_match: float,
    least_score: float,
    path: Path | str,
) -> None:
    """Outcomes on the left, match and score of every aligned song with the filters on the right.

    songs, quarantine: the tables of `songs.index`
    """
    figure, ((left, right),) = page(columns=2, height=3.5)
    _outcomes(left, songs, quarantine)
    groups = [
        (quarantine.drop_duplicates("song"), REJECTED, "x", "rejected"),
        *((songs[songs["split"] == split], colour, "o", split) for split, colour in SPLITS.items()),
    ]
    for rows, colour, marker, label in groups:
        rows = rows.dropna(subset=["match_ratio", "score"])
        if len(rows):
            right.plot(rows["match_ratio"], rows["score"], marker, color=colour, ms=4, label=label)
    right.axvline(least_match, color=RED, linewidth=0.8)
    right.axhline(least_score, color=RED, linewidth=0.8)
    right.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="share of the lyrics' words found")
    right.set_ylabel("mean score of the words")
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="lower left")
    head(figure, "Songs: what became of them, and how well their lyrics were found")
    foot(figure, "Red lines: the filters; rejected songs are orange, by their first reason.")
    save(figure, path)


def _outcomes(axis, songs, quarantine):
    """Bars: songs of each split, and of each reason for rejection (a song's first)."""
    first = quarantine.drop_duplicates("song")
    reasons = first["reason"].value_counts()
    rows = [
        (
            f"{split} ({songs.loc[songs['split'] == split, 'seconds'].sum() / 3600:.2g} h)",
            count,
            colour,
        )
        for split, colour in SPLITS.items()
        if (count := int((songs["split"] == split).sum()))
    ]
    rows += [(reason, count, REJECTED) for reason, count in reasons.items()]
    place = np.arange(len(rows))[::-1]
    axis.barh(place, [count for _, count, _ in rows], color=[colour for *_, colour in rows])
    axis.set_yticks(place, [name for name, *_ in rows])
    for height, (_, count, _) in zip(place, rows, strict=True):
        axis.text(count, height, f" {count:,}", va="center")
    axis.set(xlabel="songs")
    axis.margins(x=0.15)
    axis.grid(visible=False, axis="y")
