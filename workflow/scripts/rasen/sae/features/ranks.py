"""How well the activation of every feature detects every tag, over sparse codes.

With N units, P of them with the tag, and the units sorted by activation (zeros tie at the end):

    ap           average precision, equal activations taken together (as scikit-learn's)
    auroc        chance that a unit with the tag is above one without it, ties counting half
    information  mutual information of "fires" and the tag, in bits
    z            the rank sum in its standard deviations under random order (of single units)

Work grows with activations x tags of a unit, never with features x units.
"""

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array

PAIRS = 2_000_000  # (activation, tag) pairs at a time


class Ranks:
    """The activations x [units, features] as ranks, ready to be compared with any tags."""

    def __init__(self, x: csc_array) -> None:
        x = csc_array(x)
        self.units, self.features = x.shape
        self.fires = np.diff(x.indptr)  # [features], units where each fires
        feature = np.repeat(np.arange(self.features), self.fires)
        order = np.lexsort((-x.data, feature))  # the strongest first, feature by feature
        # one entry per activation, in that order
        self.indptr, self.unit, self.feature = x.indptr, x.indices[order], feature
        first, last = _runs_of_equals(feature, x.data[order])
        self.at_least = last + 1 - x.indptr[feature]  # how many are at least as strong
        # ranks count from the weakest of N; zeros share the rank `zero_rank`
        self.zero_rank = (self.units - self.fires + 1) / 2
        rank = self.units - (first + last) / 2 + x.indptr[feature]
        above = rank - self.zero_rank[feature]
        self.above_zero = csr_array((above, self.unit, x.indptr), (self.features, self.units))
        # sum over runs of t equals of t^3 - t, per feature: the correction of z for ties
        zeros = (self.units - self.fires).astype(float)
        self.ties = zeros**3 - zeros
        starts = first == np.arange(len(first))
        length = (last - first + 1.0)[starts]
        np.add.at(self.ties, feature[starts], length**3 - length)

    def z(self, has: csc_array) -> np.ndarray:
        """z [features, tags] of tags [units, tags] (sparse)."""
        n, p = self.units, np.asarray(has.sum(axis=0), float).ravel()
        rank_sums = self._rank_sums(has, p)
        untied = 1 - self.ties / max(1, n**3 - n)
        variance = untied[:, None] * p * (n - p) * (n + 1) / 12
        mean = p * (n + 1) / 2
        return np.divide(rank_sums - mean, np.sqrt(variance), out=0 * rank_sums, where=variance > 0)

    def scores(self, has: csc_array) -> dict[str, np.ndarray]:
        """{ap, auroc, information, hits}, each [features, tags]; hits: units with both."""
        n, p = self.units, np.asarray(has.sum(axis=0), float).ravel()
        hits = np.zeros((self.features, has.shape[1]))
        precision = np.zeros_like(hits)
        by_unit = csr_array(has)
        tags_of_unit = np.diff(by_unit.indptr)
        for start, stop in self._blocks_of_features(tags_of_unit):
            entries = slice(self.indptr[start], self.indptr[stop])
            feature, at_least, tag = self._pairs(entries, by_unit, tags_of_unit)
            hits[start:stop], precision[start:stop] = _summed_precision(
                feature - start, at_least, tag, stop - start, len(p)
            )
        at_zero = np.where(p > 0, (p - hits) * p / n, 0)
        auroc = (self._rank_sums(has, p) - p * (p + 1) / 2) / np.maximum(p * (n - p), 1)
        return {
            "ap": (precision + at_zero) / np.maximum(p, 1),
            "auroc": np.where((p > 0) & (p < n), auroc, np.nan),
            "information": _information(hits, self.fires[:, None], p, n),
            "hits": hits,
        }

    def _rank_sums(self, has, p):
        """Sums of the ranks of the units with a tag [features, tags]; p: units with it [tags]."""
        return (self.above_zero @ has).toarray() + self.zero_rank[:, None] * p

    def _blocks_of_features(self, tags_of_unit):
        """(start, stop) of features whose (activation, tag) pairs fit in memory."""
        pairs = np.concatenate([[0], np.cumsum(tags_of_unit[self.unit])])[self.indptr]
        start = 0
        while start < self.features:
            stop = int(np.searchsorted(pairs, pairs[start] + PAIRS, side="right")) - 1
            stop = min(max(stop, start + 1), self.features)
            yield start, stop
            start = stop

    def _pairs(self, entries, by_unit, tags_of_unit):
        """(feature, at_least, tag) of every pair of an activation and a tag of its unit."""
        unit = self.unit[entries]
        tags = tags_of_unit[unit]
        entry = np.repeat(np.arange(len(unit)), tags)
        place = np.arange(len(entry)) - np.repeat(np.cumsum(tags) - tags, tags)  # of its tags
        tag = by_unit.indices[by_unit.indptr[unit][entry] + place]
        return self.feature[entries][entry], self.at_least[entries][entry], tag


def _summed_precision(feature, at_least, tag, features, tags):
    """Hits, and the sum over hits of the precision there, each [features, tags]."""
    key = feature * tags + tag
    width = features * tags
    # the transposition sorts by key in linear time, and keeps the order within one
    by_key = coo_array((at_least, (np.arange(len(key)), key)), (len(key), width)).tocsc()
    ends = by_key.indptr.astype(np.int64)
    hits = np.diff(ends)
    _, last = _runs_of_equals(np.repeat(np.arange(width), hits), by_key.data)
    hits_at_least = last + 1 - np.repeat(ends[:-1], hits)  # hits at least as strong
    sums = np.concatenate([[0.0], np.cumsum(hits_at_least / by_key.data)])
    precision = sums[ends[1:]] - sums[ends[:-1]]
    return hits.reshape(-1, tags), precision.reshape(-1, tags)


def _runs_of_equals(group, values):
    """(first, last) place of the run of equal values in its group that each value is in."""
    if not len(values):
        return np.zeros(0, int), np.zeros(0, int)
    begins = np.ones(len(values), bool)
    begins[1:] = (group[1:] != group[:-1]) | (values[1:] != values[:-1])
    starts = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    return starts[run], np.append(starts[1:], len(values))[run] - 1


def _information(hits, fires, p, n):
    """Mutual information in bits of two yes/no variables, from their counts."""
    total = np.zeros(hits.shape)
    for both, rows, columns in (
        (hits, fires, p),
        (fires - hits, fires, n - p),
        (p - hits, n - fires, p),
        (n - fires - p + hits, n - fires, n - p),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            term = both / n * np.log2(both * n / (rows * columns))
        total = total + np.where(both > 0, term, 0)
    return total
