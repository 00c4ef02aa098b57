"""A corpus of songs at a glance: what became of them, and how well their lyrics were found."""

import numpy as np

from rasen.figures.style import BLUE, GREEN, ORANGE, RED, SKY, page, save

SPLITS = {"train": BLUE, "valid": SKY, "test": GREEN}
LEFT_OUT = ORANGE


def draw(songs, quarantine, filters, path):
    """Outcomes on the left, match and score of every aligned song with the filters on the right.

    songs, quarantine: the tables of `songs.index`; filters: {"match", "score"}
    """
    figure, ((left, right),) = page(columns=2, height=3.2)
    _outcomes(left, songs, quarantine)
    groups = [
        (quarantine.drop_duplicates("song"), LEFT_OUT, "x", "left out"),
        *((songs[songs["split"] == split], colour, "o", split) for split, colour in SPLITS.items()),
    ]
    for rows, colour, marker, label in groups:
        rows = rows.dropna(subset=["match_ratio", "score"])
        if len(rows):
            right.plot(rows["match_ratio"], rows["score"], marker, color=colour, ms=4, label=label)
    right.axvline(filters["match"], color=RED, linewidth=0.8)
    right.axhline(filters["score"], color=RED, linewidth=0.8)
    right.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="share of the lyrics' words found")
    right.set_ylabel("mean score of the words")
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="lower left")
    save(figure, path)


def _outcomes(axis, songs, quarantine):
    """Bars: songs of each split, and of each reason to fall out (a song's first)."""
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
    rows += [(reason, count, LEFT_OUT) for reason, count in reasons.items()]
    place = np.arange(len(rows))[::-1]
    axis.barh(place, [count for _, count, _ in rows], color=[colour for *_, colour in rows])
    axis.set_yticks(place, [name for name, *_ in rows])
    for at, (_, count, _) in zip(place, rows, strict=True):
        axis.text(count, at, f" {count:,}", va="center")
    axis.set(xlabel="songs")
    axis.margins(x=0.15)
    axis.grid(visible=False, axis="y")
