"""Structure error rate: detected sections against those that the lyrics ask for.

`dtw`     the share of the song's seconds that dynamic time warping leaves on a wrong label. Lyrics
          give a sung section no length, so it may be warped to any: one that is missing costs a
          single step (0.1 s), and only what has a length ([inst] for 10 s) costs its seconds.
`labels`  edits between the two sequences of labels over the target's length, in which a missing
          chorus counts as much as any other section. So read both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from rasen.errors import RasenError, raise_all
from rasen.scores.phonemes import edits
from rasen.scores.rates import Rate, pooled_rate, require_pairs

STEP = 0.1  # seconds

Found = Sequence[tuple[float, float, str]]  # (start, end, label), in order
Target = Sequence[tuple[str, float | None]]  # (label, seconds or None where any length will do)


@dataclass(frozen=True)
class SectionErrors:
    """Both rates over songs."""

    dtw: Rate
    labels: Rate


def ser(
    found: Sequence[Found], targets: Sequence[Target], draws: int = 1000, seed: int = 0
) -> SectionErrors:
    """The structure error rates of songs."""
    require_pairs(len(found), len(targets), "found sections and targets")
    raise_all(
        f"song {i}: has no {what}; leave it out"
        for what, songs in (("sections", found), ("target", targets))
        for i, song in enumerate(songs)
        if not len(song)
    )
    pairs = list(zip(found, targets, strict=True))
    wrong = np.array([dtw_error(*pair) for pair in pairs])
    seconds = np.array([song[-1][1] - song[0][0] for song in found])
    labels = [(_labels(row[2] for row in song), _labels(row[0] for row in goal))
              for song, goal in pairs]  # fmt: skip
    counts = np.array([sum(edits(goal, song)) for song, goal in labels])
    lengths = np.array([len(goal) for _, goal in labels])
    return SectionErrors(
        pooled_rate(wrong, seconds, draws, seed, "ser_dtw"),
        pooled_rate(counts, lengths, draws, seed, "ser_labels"),
    )


def dtw_error(found: Found, target: Target, step: float = STEP) -> float:
    """Seconds on a wrong label, along the path that warps both in time with the fewest of them."""
    problems = [
        f"section '{label}' goes from {start:g} to {end:g} s"
        for start, end, label in found
        if not start < end
    ]
    problems += [
        f"target '{label}' lasts {seconds:g} s"
        for label, seconds in target
        if seconds is not None and not seconds > 0
    ]
    raise_all(problems)
    if not found or not target:
        raise RasenError("no sections to compare; leave the song out")
    codes: dict[str, int] = {}
    ours = _frames([(label, end - start) for start, end, label in found], step, codes)
    goal = _frames(target, step, codes)
    # D[i, j] = wrong[i, j] + min(D[i - 1, j], D[i - 1, j - 1], D[i, j - 1]), row by row: the last
    # of the three is a running minimum once the row's own sums are taken off.
    row = np.cumsum(goal != ours[0])
    for label in ours[1:]:
        wrong = (goal != label).astype(np.int64)
        sums = np.cumsum(wrong)
        enter = np.minimum(row, np.concatenate([row[:1], row[:-1]]))
        row = np.minimum.accumulate(enter - (sums - wrong)) + sums
    return float(row[-1] * step)


def _frames(sections, step, codes):
    """The code of the label of every step; sections of no length have one."""
    counts = [max(1, round(seconds / step)) if seconds else 1 for _, seconds in sections]
    labels = [codes.setdefault(label, len(codes)) for label, _ in sections]
    return np.repeat(labels, counts)


def _labels(labels):
    """Equal neighbours are one: a second verse after the first is no other label."""
    return [label for label, _ in groupby(labels)]
