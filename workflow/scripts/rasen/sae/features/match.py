"""Which feature of one point is which of the next: matched, born, died, and how far they moved.

Two features match when each is the other's best and their likeness is above chance (and above
`least`). Likeness is

    overlap  the rows where both fire over the rows where either does (the same inputs in the same
             order, so both dumps must be of the same stimuli)
    cosine   of the two decoder directions

Chance: for overlap, the second point's clips change places (and are rotated in time) with others
of the same part of the tally (see rasen.sae.features.tally; a small tally is one part); for cosine,
directions are drawn with the mean and covariance of the second decoder. The limit is the `level`
quantile of the best likeness that features then find.

Overlaps are counted for a block of the first point's features against all of the second's, in one
pass over both tallies, so memory holds one block of counts whatever the number of rows.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csc_array

from rasen.errors import RasenError
from rasen.sae.features.nulls import shuffle_clips
from rasen.sae.features.tally import Tally
from rasen.seeds import generator

if TYPE_CHECKING:  # torch would slow down jobs that only read tables
    from rasen.sae.model import SAE

BLOCK = 1024  # features at a time
COUNTS = 1 << 27  # pairs of features whose overlaps are counted in one pass, 4 bytes each
PAIRS = 1 << 23  # pairs of activations multiplied at a time
DRAWN = 2000  # best likenesses by chance, at least
FATES = ("matched", "death", "birth")


@dataclass(frozen=True, eq=False)
class PointFeatures:
    """The features of one SAE, at one point: its decoder and their activations."""

    decoder: np.ndarray  # [features, d]
    tally: Tally


def point_features(sae: "SAE", tally: Tally) -> PointFeatures:
    """The PointFeatures of a loaded SAE."""
    return PointFeatures(sae.decoder.cpu().numpy(), tally)


def match_features(
    before: PointFeatures,
    after: PointFeatures,
    by: str = "overlap",
    seed: int = 0,
    least: float = 0.0,
    level: float = 0.99,
) -> pd.DataFrame:
    """The fate of every feature that fires at one of two points.

    Returns a table fate (matched, death, birth), before, after (features, -1 for none), overlap,
    cosine, drift (1 - cosine), limit (of chance). Where there is no match, overlap and cosine are
    those of the likest feature of the other point.
    """
    _refuse_incomparable(before, after)
    counts = [_fire_counts(point.tally) for point in (before, after)]
    alive_before, alive_after = map(np.flatnonzero, counts)
    if not len(alive_before) or not len(alive_after):
        raise RasenError("match: at one of the points no feature fires at all; train its SAE again")
    unit_before = _unit_rows(before.decoder[alive_before])
    unit_after = _unit_rows(after.decoder[alive_after])
    rng = generator(seed, "match", by)
    if by == "overlap":
        sides = _Sides(before.tally, after.tally, alive_before, alive_after, *counts)
        observed, by_chance = sides.overlaps(None), lambda: sides.overlaps(rng)
    elif by == "cosine":
        observed, by_chance = (
            _cosines(unit_before, unit_after),
            lambda: _cosines(unit_before, _random_directions(unit_after, rng)),
        )
    else:
        raise RasenError(f"match: by {by!r} is not one of overlap, cosine")
    best_after, best_before, likeness = _best_partners(observed)
    draws = range(-(-DRAWN // len(best_after)))
    null = np.concatenate([_best_partners(by_chance())[2] for _ in draws])
    limit = max(least, float(np.quantile(null, level)))
    every = np.arange(len(best_after))
    matched = (best_before[best_after] == every) & (likeness > limit)
    born = np.setdiff1d(np.arange(len(best_before)), best_after[matched])
    # pairs of features: the matched, the dead with their likest, the born with theirs
    first = np.concatenate([every[matched], every[~matched], best_before[born]])
    second = np.concatenate([best_after[matched], best_after[~matched], born])
    fate = np.repeat(FATES, [matched.sum(), (~matched).sum(), len(born)])
    cosine = np.einsum("fd,fd->f", unit_before[first], unit_after[second])
    return pd.DataFrame(
        {
            "fate": fate,
            "before": np.where(fate == "birth", -1, alive_before[first]),
            "after": np.where(fate == "death", -1, alive_after[second]),
            "overlap": _overlaps_of_pairs(
                before.tally, after.tally, alive_before[first], alive_after[second], *counts
            ),
            "cosine": cosine,
            "drift": 1 - cosine,
            "limit": limit,
        }
    )


def flow(matches: pd.DataFrame) -> dict[str, float]:
    """How many features go on from one point to the next, of a table of matches.

    Returns a dict before, after, matched, births, deaths (numbers of features), and the medians
    overlap and drift of the matched.
    """
    count = matches["fate"].value_counts()
    matched, died, born = (int(count.get(fate, 0)) for fate in FATES)
    pairs = matches[matches["fate"] == "matched"]
    return {
        "before": matched + died,
        "after": matched + born,
        "matched": matched,
        "births": born,
        "deaths": died,
        "overlap": float(pairs["overlap"].median()),
        "drift": float(pairs["drift"].median()),
    }


def threads(steps: Iterable[tuple[str, str, pd.DataFrame]]) -> pd.DataFrame:
    """Follow features along a route. Called from notebooks.

    steps: (point, next point, matches), in the order of the route
    Returns a table thread, point, feature: a feature keeps its thread as long as it is matched.
    """
    rows: list[tuple[int, str, int]] = []
    thread_of: dict[int, int] = {}  # feature of the current point: its thread
    count = 0
    for place, (point, following, matches) in enumerate(steps):
        if place == 0:
            features = np.sort(matches.loc[matches["before"] >= 0, "before"].to_numpy())
            thread_of = {feature: thread for thread, feature in enumerate(features)}
            count = len(thread_of)
            rows += [(thread, point, feature) for feature, thread in thread_of.items()]
        next_thread_of = {}
        for before, after in matches.loc[matches["after"] >= 0, ["before", "after"]].to_numpy():
            if before >= 0 and before in thread_of:
                next_thread_of[after] = thread_of[before]
            else:
                next_thread_of[after] = count
                count += 1
        thread_of = next_thread_of
        rows += [(thread, following, feature) for feature, thread in thread_of.items()]
    return pd.DataFrame(rows, columns=["thread", "point", "feature"])


def _refuse_incomparable(before, after):
    same = all(
        np.array_equal(getattr(before.tally.clips, name), getattr(after.tally.clips, name))
        for name in ("number", "start", "rows")
    )
    if not same:
        raise RasenError("match: the two tallies are of different rows; dump the same stimuli")
    if before.decoder.shape[1] != after.decoder.shape[1]:
        raise RasenError(
            f"match: decoders of width {before.decoder.shape[1]} and {after.decoder.shape[1]}; "
            "compare SAEs of the same layer of the same model"
        )


def _fire_counts(tally):
    """In how many rows each feature fires [features]."""
    counts = np.zeros(tally.features, np.int64)
    for part in tally.parts():
        counts += np.diff(part.values.indptr)
    return counts


def _fires(values):
    """Where features fire [rows, features], as 0 and 1."""
    return csc_array((np.ones(values.nnz, np.int32), values.indices, values.indptr), values.shape)


def _random_directions(units, rng):
    """Random directions with the mean and covariance of these."""
    mean = units.mean(0)
    _, deviations, axes = np.linalg.svd(units - mean, full_matrices=False)
    amounts = rng.standard_normal((len(units), len(axes))) * deviations / np.sqrt(len(units))
    return _unit_rows(mean + amounts @ axes)


def _unit_rows(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _overlaps_of_pairs(before, after, first, second, counts_before, counts_after):
    """Overlap of each pair of features [pairs] of two tallies, in one pass over them."""
    both = np.zeros(len(first))
    for span in before.spans():
        fires_before, fires_after = (_fires(side.part(*span).values) for side in (before, after))
        for start in range(0, len(first), BLOCK):
            pairs = slice(start, start + BLOCK)
            together = fires_before[:, first[pairs]].multiply(fires_after[:, second[pairs]])
            both[pairs] += np.asarray(together.sum(axis=0)).ravel()
    return both / np.maximum(counts_before[first] + counts_after[second] - both, 1)


@dataclass(frozen=True, eq=False)
class _Sides:
    """Two tallies of the same rows, their features that fire, and in how many rows each does."""

    before: Tally
    after: Tally
    alive_before: np.ndarray
    alive_after: np.ndarray
    counts_before: np.ndarray
    counts_after: np.ndarray

    def overlaps(self, rng):
        """Blocks [block, features] of the overlaps of all pairs.

        rng: to let the clips of the second change places first (it goes on with every draw)
        """
        size = max(1, COUNTS // len(self.alive_after))
        start_of_draw = deepcopy(rng)
        for start in range(0, len(self.alive_before), size):
            features = self.alive_before[start : start + size]
            if start:  # every pass sees the same places
                rng = deepcopy(start_of_draw)
            both = self._counts_together(features, rng)
            for begin in range(0, len(features), BLOCK):
                block = both[begin : begin + BLOCK].astype(float)
                fired = self.counts_before[features[begin : begin + BLOCK], None]
                yield block / np.maximum(fired + self.counts_after[self.alive_after] - block, 1)

    def _counts_together(self, features, rng):
        """Rows where both of a pair fire [features, features of the second]."""
        both = np.zeros((len(features), len(self.alive_after)), np.int32)
        for span in self.before.spans():
            part, other = (side.part(*span) for side in (self.before, self.after))
            first = _fires(part.values[:, features]).tocsr()
            second = _fires(other.values[:, self.alive_after]).tocsr()
            if rng is not None:
                second = second[shuffle_clips(part.clip, rng)]
            pairs = np.cumsum(np.diff(first.indptr).astype(np.int64) * np.diff(second.indptr))
            edges = np.flatnonzero(np.diff(pairs // PAIRS)) + 1
            for rows in np.split(np.arange(len(pairs)), edges):
                where = slice(rows[0], rows[-1] + 1)
                together = (first[where].T.tocsr() @ second[where]).tocoo()
                both[together.coords] += together.data
        return both


def _cosines(first, second):
    """Blocks [block, features] of the cosines of all pairs of unit rows."""
    for start in range(0, len(first), BLOCK):
        yield first[start : start + BLOCK] @ second.T


def _best_partners(blocks):
    """Best partner of each first feature, of each second one, and the likeness of the former."""
    best_second, likeness = [], []
    best_first, highest, start = np.zeros(1, int), np.full(1, -np.inf), 0
    for block in blocks:
        best_second.append(block.argmax(1))
        likeness.append(block.max(1))
        best_first = np.where(block.max(0) > highest, block.argmax(0) + start, best_first)
        highest = np.maximum(highest, block.max(0))
        start += len(block)
    return np.concatenate(best_second), best_first, np.concatenate(likeness)
