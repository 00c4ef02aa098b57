"""How well the activation of every feature tells every tag, over sparse codes.

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

    def __init__(self, x):
        x = csc_array(x)
        self.units, self.features = x.shape
        self.fires = np.diff(x.indptr)
        feature = np.repeat(np.arange(self.features), self.fires)
        order = np.lexsort((-x.data, feature))  # the strongest first, feature by feature
        self.indptr, self.unit, self.feature = x.indptr, x.indices[order], feature
        first, last, self.ties = _runs(feature, x.data[order])
        self.place = last + 1 - x.indptr[feature]  # how many are at least as strong
        # ranks count from the weakest of N; zeros share the rank `zero`
        self.zero = (self.units - self.fires + 1) / 2
        rank = self.units - (first + last) / 2 + x.indptr[feature]
        above = rank - self.zero[feature]
        self.above = csr_array((above, self.unit, x.indptr), (self.features, self.units))
        zeros = (self.units - self.fires).astype(float)
        self.tied = zeros**3 - zeros
        np.add.at(self.tied, feature[first == np.arange(len(first))], _cubes(first, last))

    def z(self, has):
        """z [features, tags] of tags [units, tags] (sparse)."""
        n, p = self.units, np.asarray(has.sum(axis=0), float).ravel()
        ranks = (self.above @ has).toarray() + self.zero[:, None] * p
        ties = 1 - self.tied / max(1, n**3 - n)
        variance = ties[:, None] * p * (n - p) * (n + 1) / 12
        mean = p * (n + 1) / 2
        return np.divide(ranks - mean, np.sqrt(variance), out=0 * ranks, where=variance > 0)

    def scores(self, has):
        """{ap, auroc, information, hits}, each [features, tags]."""
        n, p = self.units, np.asarray(has.sum(axis=0), float).ravel()
        hits = np.zeros((self.features, has.shape[1]))
        precision = np.zeros_like(hits)
        by_unit = csr_array(has)
        per_unit = np.diff(by_unit.indptr)
        for start, stop in self._parts(per_unit):
            part = slice(self.indptr[start], self.indptr[stop])
            pairs = self._pairs(part, by_unit, per_unit)
            hits[start:stop], precision[start:stop] = _precision(*pairs, start, stop, len(p))
        at_zero = np.where(p > 0, (p - hits) * p / n, 0)
        sums = (self.above @ has).toarray() + self.zero[:, None] * p
        auroc = (sums - p * (p + 1) / 2) / np.maximum(p * (n - p), 1)
        return {
            "ap": (precision + at_zero) / np.maximum(p, 1),
            "auroc": np.where((p > 0) & (p < n), auroc, np.nan),
            "information": _information(hits, self.fires[:, None], p, n),
            "hits": hits,
        }

    def _parts(self, per_unit):
        """(start, stop) of features whose (activation, tag) pairs fit in memory."""
        pairs = np.concatenate([[0], np.cumsum(per_unit[self.unit])])[self.indptr]
        start = 0
        while start < self.features:
            stop = int(np.searchsorted(pairs, pairs[start] + PAIRS, side="right")) - 1
            stop = min(max(stop, start + 1), self.features)
            yield start, stop
            start = stop

    def _pairs(self, part, by_unit, per_unit):
        """(feature, place, tag) of every pair of an activation and a tag of its unit."""
        unit = self.unit[part]
        many = per_unit[unit]
        entry = np.repeat(np.arange(len(unit)), many)
        inside = np.arange(len(entry)) - np.repeat(np.cumsum(many) - many, many)
        tag = by_unit.indices[by_unit.indptr[unit][entry] + inside]
        return self.feature[part][entry], self.place[part][entry], tag


def _precision(feature, place, tag, start, stop, tags):
    """Hits, and the sum over hits of the precision there, each [features, tags]."""
    key = (feature - start) * tags + tag
    width = (stop - start) * tags
    # turning the order round sorts by key in linear time, and keeps the order within one
    turned = coo_array((place, (np.arange(len(key)), key)), (len(key), width)).tocsc()
    ends = turned.indptr.astype(np.int64)
    hits = np.diff(ends)
    _, last, _ = _runs(np.repeat(np.arange(width), hits), turned.data)
    within = last + 1 - np.repeat(ends[:-1], hits)  # hits at least as strong
    sums = np.concatenate([[0.0], np.cumsum(within / turned.data)])
    precision = sums[ends[1:]] - sums[ends[:-1]]
    return hits.reshape(-1, tags), precision.reshape(-1, tags)


def _runs(group, values):
    """(first, last) place of the run of equal values in its group that each is in; their number."""
    if not len(values):
        return np.zeros(0, int), np.zeros(0, int), 0
    new = np.ones(len(values), bool)
    new[1:] = (group[1:] != group[:-1]) | (values[1:] != values[:-1])
    starts = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    return starts[run], np.append(starts[1:], len(values))[run] - 1, len(starts)


def _cubes(first, last):
    """t^3 - t of every run of t equal values."""
    starts = first == np.arange(len(first))
    size = (last - first + 1.0)[starts]
    return size**3 - size


def _information(hits, fires, p, n):
    """Mutual information in bits of two yes/no variables, from their counts."""
    total = 0.0
    for both, rows, columns in (
        (hits, fires, p),
        (fires - hits, fires, n - p),
        (p - hits, n - fires, p),
        (n - fires - p + hits, n - fires, n - p),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            part = both / n * np.log2(both * n / (rows * columns))
        total = total + np.where(both > 0, part, 0)
    return total
