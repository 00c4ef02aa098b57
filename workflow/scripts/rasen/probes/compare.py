"""How alike two sets of features of the same rows are: debiased linear CKA and PWCCA.

CKA compares which rows are near each other; PWCCA which directions are linear maps of each other.
Both are sums over rows, kept for 20 parts of the groups: leaving out one part is a subtraction, and
the intervals are jackknifes over these parts.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, groupby
from typing import Any

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all, suggestion
from rasen.probes.cca import Basis, pwcca_parts
from rasen.probes.cka import Hsic, cka_parts
from rasen.probes.gram import Features
from rasen.seeds import generator
from rasen.stats import jackknife

MEASURES = ("cka", "pwcca")
PARTS = 20  # of the groups, for the jackknife
COLUMNS = ["a", "b", "measure", "value", "low", "high", "null", "n", "groups", "components"]


def similarity(
    layers: Mapping[Any, np.ndarray], kinds: Sequence[str] = ("cka",),
    pairs: Iterable[tuple[Any, Any]] | None = None, groups: np.ndarray | None = None,
    seed: int = 0, explained: float = 0.99, components: int = 256,
) -> pd.DataFrame:  # fmt: skip
    """Similarities of pairs of features: columns a, b, measure, value, low, high, null, n, groups.

    layers: {name: features [rows, d]} of the same rows; any mapping: two are read at a time, in the
        order of `pairs`, so keep pairs with the same first name together
    pairs: by default all pairs of different names
    groups: of each row (song, instrument), for the intervals; by default every row is one
    explained, components: of PWCCA, whose rows are first reduced to the principal components that
        explain this share of variance, at most so many and at most one per ten rows. The column
        `components` has the smaller of the two numbers
    null: of unrelated features. Debiased CKA has 0 in the mean; PWCCA grows with components per
        row, and its null is the value with the groups of b assigned at random to those of a
    """
    names = list(layers)
    wanted = list(combinations(names, 2)) if pairs is None else list(pairs)
    unknown = sorted({str(name) for pair in wanted for name in pair if name not in names})
    raise_all(
        [
            f"measure '{kind}'; {suggestion(kind, MEASURES)}"
            for kind in kinds
            if kind not in MEASURES
        ]
        + [f"no features '{name}'; {suggestion(name, [str(n) for n in names])}" for name in unknown]
    )
    bases: dict[Any, Basis] = {}
    own: dict[tuple[Any, ...], Hsic] = {}
    rows = []
    for a, some in groupby(wanted, key=lambda pair: pair[0]):
        first = _features(layers, a)
        part, shuffled, count = _parts(groups, len(first), seed)
        for _, b in some:
            second = first if b == a else _features(layers, b)
            if len(first) != len(second):
                text = f"{a} has {len(first)} rows and {b} has {len(second)}; give the same rows"
                raise RasenError(text)
            for kind in kinds:
                if kind == "cka":
                    width, found = None, cka_parts(first, second, part, own, (a, b))
                else:
                    for name, features in ((a, first), (b, second)):
                        if name not in bases:
                            bases[name] = Basis.of(features, explained, components)
                    width = min(bases[a].width, bases[b].width)
                    found = pwcca_parts(first, second, bases[a], bases[b], part, shuffled)
                value, low, high = jackknife(found.value, found.without)
                rows.append((a, b, kind, value, low, high, found.null, len(first), count, width))
            del second
        del first  # before the next one is read
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["components"] = table["components"].astype("Int64")
    return table


def _features(layers, name):
    x = layers[name]
    if getattr(x, "ndim", 0) != 2 or len(x) < 4:
        raise RasenError(f"{name}: features must be an array [rows, dim] of four rows or more")
    return Features(x, np.arange(len(x)), str(name), each=False)


def _parts(groups, rows, seed):
    """The part of each row, another row for each row (the null), and the number of groups."""
    if groups is not None and len(groups) != rows:
        raise RasenError(f"{len(groups)} groups for {rows} rows; give one per row")
    group = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(group.max()) + 1
    rng = generator(seed, "similarity")
    part = rng.permutation(count)[group] % min(PARTS, count)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    mixed = np.concatenate([members[other] for other in rng.permutation(count)])
    shuffled = np.empty(rows, dtype=np.int64)
    shuffled[np.concatenate(members)] = mixed
    return part, shuffled, count
