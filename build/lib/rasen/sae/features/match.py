"""Which feature of one point is which of the next: matched, born, died, and how far they moved.

Two features match when each is the other's best and their likeness is above chance (and above
`least`). Likeness is

    overlap  the rows where both fire over the rows where either does (the same inputs in the same
             order, so both dumps must be of the same stimuli)
    cosine   of the two decoder directions

Chance: for overlap, the second point's clips change places (and turn within themselves); for
cosine, directions are drawn with the mean and covariance of the second decoder. The limit is the
`level` quantile of the best likeness that features then find.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csc_array

from rasen.errors import RasenError
from rasen.sae.features.nulls import shuffled
from rasen.sae.features.tally import Tally
from rasen.seeds import generator

BLOCK = 1024  # features at a time
DRAWN = 2000  # best likenesses by chance, at least
FATES = ("matched", "death", "birth")


class Side(NamedTuple):
    """One point: its decoder and what its features do."""

    decoder: np.ndarray  # [features, d]
    tally: Tally


def side_of(sae, tally):
    """The Side of a loaded SAE."""
    return Side(sae.decoder.cpu().numpy(), tally)


def match(before, after, by="overlap", seed=0, least=0.0, level=0.99):
    """Features that fire at one of two points, and what became of them.

    Returns a table fate (matched, death, birth), before, after (features, -1 for none), overlap,
    cosine, drift (1 - cosine), limit (of chance). Where there is no match, overlap and cosine are
    those of the likest feature of the other point.
    """
    _comparable(before, after)
    sides = (before, after)
    alive = [np.flatnonzero(np.diff(each.tally.values.indptr)) for each in sides]
    if not all(map(len, alive)):
        raise RasenError("match: at one of the points no feature fires at all; train its SAE again")
    fires = [_binary(each.tally, kept) for each, kept in zip(sides, alive, strict=True)]
    units = [_unit(each.decoder[kept]) for each, kept in zip(sides, alive, strict=True)]
    if by == "overlap":
        likenesses, others = _overlaps, fires
        chance = partial(_moved, fires[1], after.tally.clip)
    elif by == "cosine":
        likenesses, others = _cosines, units
        chance = partial(_drawn, units[1])
    else:
        raise RasenError(f"match: by {by!r} is not one of overlap, cosine")
    there, back, likeness = _best(likenesses(*others))
    rng = generator(seed, "match", by)
    draws = range(-(-DRAWN // len(there)))
    null = np.concatenate([_best(likenesses(others[0], chance(rng)))[2] for _ in draws])
    limit = max(least, float(np.quantile(null, level)))
    own = np.arange(len(there))
    matched = (back[there] == own) & (likeness > limit)
    born = np.setdiff1d(np.arange(len(back)), there[matched])
    one = np.concatenate([own[matched], own[~matched], back[born]])
    other = np.concatenate([there[matched], there[~matched], born])
    fate = np.repeat(FATES, [matched.sum(), (~matched).sum(), len(born)])
    return pd.DataFrame(
        {
            "fate": fate,
            "before": np.where(fate == "birth", -1, alive[0][one]),
            "after": np.where(fate == "death", -1, alive[1][other]),
            "overlap": _overlap(fires[0][:, one], fires[1][:, other]),
            "cosine": np.einsum("fd,fd->f", units[0][one], units[1][other]),
        }
    ).assign(drift=lambda table: 1 - table["cosine"], limit=limit)


def flow(matches):
    """Numbers of a table of matches, as a dict: before, after, matched, births, deaths, and the
    medians of overlap and drift of the matched."""
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


def threads(steps):
    """Follow features along a route.

    steps: list of (point, next point, matches), in walking order
    Returns a table thread, point, feature: a feature keeps its thread as long as it is matched.
    """
    rows, names, count = [], {}, 0
    for place, (point, following, matches) in enumerate(steps):
        if place == 0:
            first = np.sort(matches.loc[matches["before"] >= 0, "before"].to_numpy())
            names = {feature: thread for thread, feature in enumerate(first)}
            count = len(names)
            rows += [(thread, point, feature) for feature, thread in names.items()]
        later = {}
        for before, after in matches.loc[matches["after"] >= 0, ["before", "after"]].to_numpy():
            if before >= 0 and before in names:
                later[after] = names[before]
            else:
                later[after], count = count, count + 1
        names = later
        rows += [(thread, following, feature) for feature, thread in names.items()]
    return pd.DataFrame(rows, columns=["thread", "point", "feature"])


def _comparable(before, after):
    same = np.array_equal(before.tally.clip, after.tally.clip)
    same &= np.array_equal(before.tally.frame, after.tally.frame)
    if not same:
        raise RasenError("match: the two tallies are of different rows; dump the same stimuli")
    if before.decoder.shape[1] != after.decoder.shape[1]:
        raise RasenError(
            f"match: decoders of width {before.decoder.shape[1]} and {after.decoder.shape[1]}; "
            "compare SAEs of the same layer of the same model"
        )


def _binary(tally, features):
    """Where features fire [rows, features], as 0 and 1."""
    found = csc_array(tally.values[:, features], copy=True)
    found.data = np.ones(len(found.data), np.float32)
    return found


def _moved(fires, clip, rng):
    """The same rows, where whole clips have changed places."""
    return csc_array(fires[shuffled(clip, rng)])


def _drawn(units, rng):
    """Random directions with the mean and covariance of these."""
    mean = units.mean(0)
    _, deviations, axes = np.linalg.svd(units - mean, full_matrices=False)
    amounts = rng.standard_normal((len(units), len(axes))) * deviations / np.sqrt(len(units))
    return _unit(mean + amounts @ axes)


def _unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _overlap(first, second):
    """Overlap of each pair of columns [features] of two binary matrices [rows, features]."""
    both = np.asarray(first.multiply(second).sum(axis=0)).ravel()
    return both / np.maximum(np.diff(first.indptr) + np.diff(second.indptr) - both, 1)


def _overlaps(first, second):
    """Blocks [block, features] of the overlaps of all pairs."""
    sizes = np.diff(first.indptr), np.diff(second.indptr)
    turned = first.T.tocsr()
    for start in range(0, first.shape[1], BLOCK):
        both = (turned[start : start + BLOCK] @ second).toarray()
        yield both / np.maximum(sizes[0][start : start + BLOCK, None] + sizes[1] - both, 1)


def _cosines(first, second):
    """Blocks [block, features] of the cosines of all pairs of unit rows."""
    for start in range(0, len(first), BLOCK):
        yield first[start : start + BLOCK] @ second.T


def _best(blocks):
    """Best partner of each first feature, of each second one, and the likeness of the former."""
    there, likeness = [], []
    back, highest, start = 0, -np.inf, 0
    for block in blocks:
        there.append(block.argmax(1))
        likeness.append(block.max(1))
        back = np.where(block.max(0) > highest, block.argmax(0) + start, back)
        highest = np.maximum(highest, block.max(0))
        start += len(block)
    return np.concatenate(there), back, np.concatenate(likeness)
